"""rsLoRA, DoRA and the gaussian start: the reference is the base still, and all that is done with adapters works."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from parity_case import set_adapter
from tiny_requests import (
    LORA,
    OPTIMIZATION,
    generation_rows,
    output_hashes,
    read_lines,
    work_request,
    write_lines,
)
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.adapters import continue_adapter, fresh_adapter
from sticflow_ml.contract import AdapterSpec, LoraSettings
from sticflow_ml.errors import SticflowError
from sticflow_ml.memory import Lora, dimensions, num_adapter_weights, training_terms
from sticflow_ml.memory import Pass as MemoryPass
from sticflow_ml.training import Training
from sticflow_ml.work_folder import read_json

NUM_PAIRS = 4
RSLORA, DORA, BOTH = (
    {"use_rslora": True},
    {"use_dora": True},
    {"use_rslora": True, "use_dora": True},
)
GAUSSIAN = {"init_lora_weights": "gaussian"}
VARIANTS = pytest.mark.parametrize(
    "variant", [RSLORA, DORA, BOTH, GAUSSIAN], ids=["rslora", "dora", "both", "gaussian"]
)


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, variant: dict[str, Any], **changes: Any) -> dict[str, Any]:
        lora = {**LORA, "dropout": 0.1, **variant}
        changes = {"lora": lora, "optimization": OPTIMIZATION, **changes}
        return preference_request(
            checkpoints["llava"], pictures, tmp_path / name, num_pairs=NUM_PAIRS, **changes
        )

    return build


@pytest.fixture
def training(request_for) -> Training:
    return open_training(request_for("opened", {}), Messages())


def _run(*requests: dict[str, Any], faults: str = "") -> list[dict[str, Any] | None]:
    with ModelProcess.fork(faults=faults) as process:
        return [process.run(request) for request in requests]


def _logps(training: Training, model: torch.nn.Module) -> torch.Tensor:
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    model.eval()
    with torch.no_grad():
        scored = scorer.logps(model, pairs, [scorer.row(pair) for pair in pairs])
    return torch.cat([scored.chosen_B, scored.rejected_B])


@VARIANTS
def test_without_its_adapter_the_policy_is_the_base_bit_for_bit(
    training: Training, variant: dict[str, Any]
) -> None:
    base = training.policy.unload()
    of_base = _logps(training, base)
    settings = LoraSettings.model_validate({**LORA, **variant})
    policy = fresh_adapter(training.loaded, settings, seed=0)

    torch.testing.assert_close(_logps(training, policy), of_base, rtol=0, atol=1e-4)
    set_adapter(policy)
    assert not torch.allclose(_logps(training, policy), of_base, atol=0.1)
    with policy.disable_adapter():
        assert torch.equal(_logps(training, policy), of_base)


def test_rslora_scales_by_the_root_of_the_rank(training: Training) -> None:
    training.policy.unload()
    for variant, expected in (({}, 8 / 4), (RSLORA, 8 / math.sqrt(4))):
        settings = LoraSettings.model_validate({**LORA, **variant})
        policy = fresh_adapter(training.loaded, settings, seed=0)
        scalings = {
            module.scaling["default"]  # pyright: ignore[reportIndexIssue]
            for module in policy.modules()
            if hasattr(module, "lora_A")
        }
        assert scalings == {expected}
        policy.unload()


@VARIANTS
def test_a_killed_training_ends_with_the_same_bytes(request_for, variant: dict[str, Any]) -> None:
    undisturbed, killed = request_for("undisturbed", variant), request_for("killed", variant)
    (result,) = _run(undisturbed)
    assert result is not None
    assert result["type"] == "result", result
    assert _run(killed, faults="train_preference.step:kill@6") == [None]

    _run({**killed, "attempt": 2})

    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(undisturbed["work_dir"]))
    first = read_lines(Path(killed["work_dir"]) / "output" / "metrics.jsonl")[0]
    # Policy and reference are one before the first step, whatever the variant (dropout moves it a little).
    assert first["rewards/margins"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("variant", [RSLORA, BOTH], ids=["rslora", "both"])
def test_texts_are_written_and_a_second_training_goes_on_with_the_adapter(
    request_for,
    checkpoints: dict[str, Path],
    pictures: Path,
    tmp_path: Path,
    variant: dict[str, Any],
) -> None:
    first = request_for("first", variant, optimization={**OPTIMIZATION, "learning_rate": 0.1})
    adapter = {"path": str(Path(first["work_dir"]) / "output"), "sha256": "c" * 64}
    rows = write_lines(tmp_path / "rows.jsonl", generation_rows(6))

    def generation(name: str, policy: dict[str, str] | None) -> dict[str, Any]:
        return work_request(
            "generate",
            checkpoints["llava"],
            tmp_path / name,
            adapter=policy,
            engine={"name": "hf"},
            requests_path=str(rows),
            image_roots={"images": str(pictures), "corrupted": None},
            batch_size=3,
        )

    before, adapted, after = (
        generation("before", None),
        generation("adapted", adapter),
        generation("after", None),
    )
    second = request_for("second", {}, adapter=adapter)
    for result in _run(first, before, adapted, after, second):
        assert result is not None
        assert result["type"] == "result", result

    texts = [
        [
            line["text"]
            for line in read_lines(Path(one["work_dir"]) / "output" / "generations.jsonl")
        ]
        for one in (before, adapted, after)
    ]
    assert texts[1] != texts[0] == texts[2]
    config = read_json(Path(second["work_dir"]) / "output" / "adapter_config.json")
    assert config["use_rslora"] is True
    assert config["use_dora"] is bool(variant.get("use_dora"))


def test_a_dora_adapter_is_read_back_whole(training: Training, request_for, tmp_path: Path) -> None:
    request = request_for("first", DORA, optimization={**OPTIMIZATION, "learning_rate": 0.1})
    _run(request)
    output = Path(request["work_dir"]) / "output"
    training.policy.unload()
    spec = AdapterSpec(path=str(output), sha256="c" * 64)

    policy = continue_adapter(training.loaded, spec, dropout=0.0)
    of_policy = _logps(training, policy)
    merged = policy.merge_and_unload()

    torch.testing.assert_close(_logps(training, merged), of_policy, rtol=1e-3, atol=1e-2)


def test_the_estimate_counts_the_norms_of_dora(training: Training) -> None:
    training.policy.unload()
    settings = LoraSettings.model_validate({**LORA, **DORA})
    policy = fresh_adapter(training.loaded, settings, seed=0)
    trained = sum(one.numel() for one in policy.parameters() if one.requires_grad)
    sizes = dimensions(training.loaded.model.config)
    plain, dora = (Lora(LORA["r"], LORA["target_modules"], use_dora) for use_dora in (False, True))

    assert num_adapter_weights(sizes, dora) == trained
    common = {
        "weights_bytes": 0, "dtype": "float32", "device": "cpu", "is_checkpointed": False,
    }  # fmt: skip
    of_plain, of_dora = (
        training_terms(sizes, lora, MemoryPass(1, 100, 10), **common) for lora in (plain, dora)
    )
    # down_proj is the largest: an identity of 48, the update and its sum with the weights of 32 x 48.
    assert of_dora.pop("dora_norms") == 4 * (48 * 48 + 2 * 48 * 32)
    assert of_dora["activations"] > of_plain["activations"]


@pytest.mark.parametrize("init", ["pissa", "olora", "corda", "loftq", "eva"])
def test_a_start_that_changes_the_base_is_refused(training: Training, init: str) -> None:
    settings = LoraSettings.model_validate({**LORA, "init_lora_weights": init})
    training.policy.unload()

    with pytest.raises(SticflowError, match=init) as caught:
        fresh_adapter(training.loaded, settings, seed=0)

    assert caught.value.code == "ConfigInvalid"
