"""What a training refuses instead of going on: a wrong layer, a changed base, an adapter without effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_requests import LORA, generation_rows, work_request, write_lines
from training_parts import Messages, open_training, preference_request

from sticflow_ml.errors import SticflowError
from sticflow_ml.invariants import check_frozen, check_lora_placement, frozen_fingerprint
from sticflow_ml.training import Training

NUM_PAIRS = 2


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, **changes: Any) -> dict[str, Any]:
        return preference_request(
            checkpoints["llava"], pictures, tmp_path / name, num_pairs=NUM_PAIRS, **changes
        )

    return build


@pytest.fixture
def training(request_for) -> Training:
    return open_training(request_for("work"), Messages())


def test_layers_of_the_same_name_in_the_vision_tower_get_no_adapter(training: Training) -> None:
    # trl issue 1936: CLIP has a q_proj too
    tower = {name for name, _ in training.policy.named_parameters() if "vision_tower" in name}
    assert any("q_proj" in name for name in tower)

    check_lora_placement(training.loaded, training.policy)

    assert not any("lora_" in name for name in tower)


def test_an_adapter_on_the_vision_tower_is_refused_by_name(training: Training) -> None:
    base = training.policy.unload()
    everywhere = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"]))

    with pytest.raises(SticflowError, match="vision_tower") as caught:
        check_lora_placement(training.loaded, everywhere)

    assert caught.value.code == "TrainingInvariant"


def test_one_changed_bit_of_the_base_is_an_alarm(training: Training) -> None:
    before = frozen_fingerprint(training.policy)
    check_frozen(before, training.policy)
    weight = next(one for one in training.policy.parameters() if not one.requires_grad)
    bits = weight.data.view(-1).view(torch.int32)

    bits[3] ^= 1

    with pytest.raises(SticflowError, match="weights of the base") as caught:
        check_frozen(before, training.policy)
    assert caught.value.code == "TrainingInvariant"


def test_a_training_leaves_every_file_of_the_base_as_it_was(
    request_for, checkpoints: dict[str, Path]
) -> None:
    def content() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in checkpoints["llava"].iterdir()}

    before = content()
    with ModelProcess.fork() as process:
        result = process.run(request_for("work"))

    assert result is not None
    assert result["type"] == "result", result
    assert content() == before


def test_an_adapter_whose_names_fit_no_layer_is_refused_before_it_does_nothing(
    request_for, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    # vllm issues 34186 and 48019: names that match nothing load without an error and without effect
    request = request_for("work")
    with ModelProcess.fork() as process:
        process.run(request)
    output = Path(request["work_dir"]) / "output"
    weights = load_file(output / "adapter_model.safetensors")
    renamed = {name.replace("language_model", "text_model"): one for name, one in weights.items()}
    assert renamed.keys() != weights.keys()
    save_file(renamed, output / "adapter_model.safetensors", metadata={"format": "pt"})
    texts = work_request(
        "generate",
        checkpoints["llava"],
        tmp_path / "texts",
        adapter={"path": str(output), "sha256": "d" * 64},
        engine={"name": "hf"},
        requests_path=str(write_lines(tmp_path / "requests.jsonl", generation_rows(2))),
        image_roots={"images": str(pictures), "corrupted": None},
        batch_size=2,
    )

    with ModelProcess.fork() as process:
        error = process.run(texts)

    assert error is not None
    assert error["code"] == "ModelInvalid"
    assert "layer for layer" in error["message"]


def test_a_training_in_float16_is_refused_with_what_to_set(request_for) -> None:
    # LLaMA-Factory issues 1103 and 1874, LLM-Dojo issue 23: gradients vanish or overflow
    request = request_for("work")
    request["model"]["dtype"] = "float16"

    with ModelProcess.fork() as process:
        error = process.run(request)

    assert error is not None
    assert error["code"] == "ConfigInvalid"
    assert "bfloat16" in error["message"]


def test_a_layer_that_is_not_there_is_named_with_those_that_are(request_for) -> None:
    request = request_for("work", lora={**LORA, "target_modules": ["q_proj", "query"]})

    with ModelProcess.fork() as process:
        error = process.run(request)

    assert error is not None
    assert error["code"] == "ConfigInvalid"
    assert "`query`" in error["message"]
    assert "down_proj" in error["message"]


def test_the_record_of_an_adapter_names_the_base_it_belongs_to(request_for) -> None:
    request = request_for("work")
    with ModelProcess.fork() as process:
        process.run(request)

    config = json.loads((Path(request["work_dir"]) / "output/adapter_config.json").read_text())

    assert config["base_model_name_or_path"] == request["model"]["sha256"]
