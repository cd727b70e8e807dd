"""`sticflow plan`: what a training and a generation of a config would need, asked by question and answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from model_process import PYTHON_ROOT
from tiny_models import FAMILIES
from tiny_requests import LORA

from sticflow_ml.plan_memory import count_weights, plan


def _question(checkpoint: Path, **changes: Any) -> dict[str, Any]:
    training = {
        "stage": "preference_training",
        "finetuning": "lora",
        "lora": LORA,
        "micro_batch_size": 2,
        "max_length": None,
        "max_new_tokens": 64,
        "gradient_checkpointing": "auto",
        "num_shards": 1,
    }
    return {
        "model_path": str(checkpoint),
        "dtype": "float32",
        "quantization": None,
        "device": "cpu",
        "trainings": [training, {**training, "stage": "infused_training"}],
        "generation": {"batch_size": 8, "max_new_tokens": 64},
        **changes,
    }


def test_a_plan_names_rows_terms_and_whether_they_fit(checkpoints: dict[str, Path]) -> None:
    answer = plan(_question(checkpoints["llava_next"]))

    first, second, generation = answer["estimates"]
    # 64x64 pixels: a grid of 8 rows of 8 and a token each, behind 16 of the whole.
    assert answer["model"]["image_tokens"] == 16 + 8 * 9
    assert first["row_tokens"] == 88 + 128 + 2 * 64
    assert first["rows"] == 2
    assert first["total_bytes"] == sum(first["terms"].values())
    assert first["fits"]
    assert first["gradient_checkpointing"] is False
    assert second["stage"] == "infused_training"
    assert generation["stage"] == "generation"
    assert generation["terms"]["weights_before_merge"] > 0


def test_devices_that_share_the_base_out_each_need_less_of_it(
    checkpoints: dict[str, Path],
) -> None:
    whole = _question(checkpoints["llava"])
    shared = {**whole, "trainings": [{**whole["trainings"][0], "num_shards": 2}]}

    before, after = (plan(asked)["estimates"][0]["terms"] for asked in (whole, shared))

    # Half of two blocks less, and two blocks that are whole for a moment: here nothing is won.
    assert after["weights"] > before["weights"]
    assert {**after, "weights": 0} == {**before, "weights": 0}


def test_a_plan_says_how_many_rows_are_written_at_once(checkpoints: dict[str, Path]) -> None:
    question = _question(checkpoints["llava"])

    answer = plan({**question, "generation": {"batch_size": "auto", "max_new_tokens": 64}})

    assert answer["estimates"][-1]["rows"] == 64


def test_a_plan_is_answered_on_stdout_and_a_refusal_too(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    def ask(checkpoint: Path) -> tuple[int, dict[str, Any]]:
        finished = subprocess.run(
            [sys.executable, "-m", "sticflow_ml.plan_memory"],
            input=json.dumps(_question(checkpoint)),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PYTHON_ROOT)},
            check=False,
        )
        return finished.returncode, json.loads(finished.stdout)

    (tmp_path / "config.json").write_text("{}")
    assert ask(checkpoints["llava"])[0] == 0
    code, answer = ask(tmp_path)
    assert code == 1
    assert answer["error"]["code"] == "ModelInvalid"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_headers_of_the_files_count_every_weight(
    checkpoints: dict[str, Path], family: str
) -> None:
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(checkpoints[family])

    assert count_weights(checkpoints[family]) == sum(one.numel() for one in model.parameters())
