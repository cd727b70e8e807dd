"""Both trainings through the real model process, on a random-weight LLaVA-1.5 of a few kilobytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from model_process import ModelProcess
from PIL import Image
from tiny_models import build

NUM_EXAMPLES = 6
KNOBS = {
    "learning_rate": 1e-2, "num_epochs": 2, "global_batch_size": 2, "micro_batch_size": 1,
    "weight_decay": 0.0, "warmup_ratio": 0.0, "lr_scheduler": "cosine", "max_grad_norm": 1.0,
    "max_length": None, "gradient_checkpointing": False, "save_steps": 2, "seed": 7,
}  # fmt: skip
LORA = {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["q_proj", "v_proj"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, images, preference pairs and infused examples."""
    root = tmp_path_factory.mktemp("world")
    build("llava", root / "model")
    (root / "images").mkdir()
    pairs, examples = [], []
    for number in range(NUM_EXAMPLES):
        color = (40 * number, 200 - 30 * number, 90)
        Image.new("RGB", (40 + number, 30), color).save(root / "images" / f"{number}.png")
        pairs.append(_pair(number))
        examples.append(_example(number))
    (root / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    (root / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in examples))
    return root


def _message(role: str, text: str, *, image: bool = False) -> dict[str, Any]:
    content = [{"type": "image"}] if image else []
    return {"role": role, "content": [*content, {"type": "text", "text": text}]}


def _pair(number: int) -> dict[str, Any]:
    return {
        "pair_id": f"pair-{number}",
        "images": [{"root": "images", "file": f"{number}.png"}],
        "prompt": [_message("user", "Describe the image.", image=True)],
        "chosen": [_message("assistant", f"There are {number} objects.")],
        "rejected": [_message("assistant", "There is a large red cross and more besides.")],
        "provenance": {
            "image_id": "0" * 64, "source_name": f"{number}.png", "round": 1,
            "policy": {"model_sha256": "a" * 64, "adapter_sha256": None},
            "prompt_id": "normal/0", "chosen_prompt_id": "good", "rejected_prompt_id": "bad/0",
            "rejection_source": "bad_prompt", "corruption": None, "corrupted_image": None,
            "run_seed": 0, "chosen_seed": 1, "rejected_seed": 2,
            "sampling": {"temperature": 0.2, "top_p": None, "max_new_tokens": 64},
            "chosen_finish_reason": "stop", "rejected_finish_reason": "stop",
        },
    }  # fmt: skip


def _example(number: int) -> dict[str, Any]:
    return {
        "example_id": f"example-{number}",
        "images": [{"root": "images", "file": f"{number}.png"}],
        "messages": [
            _message("user", "What color is the triangle?", image=True),
            _message("assistant", "white."),
            _message("user", "How many objects?"),
            _message("assistant", str(number)),
        ],
        "provenance": {
            "image_id": "0" * 64, "round": 1,
            "policy": {"model_sha256": "a" * 64, "adapter_sha256": None},
            "description": None, "description_prompt_id": None,
            "description_seed": None, "description_finish_reason": None,
        },
    }  # fmt: skip


def _request(
    world: Path, work_dir: Path, command: str, attempt: int = 1, **changes: Any
) -> dict[str, Any]:
    model = {
        "path": str(world / "model"), "sha256": "a" * 64, "dtype": "float32", "device": "cpu",
        "num_threads": 1, "image_backend": "pil",
    }  # fmt: skip
    request = {
        "protocol_version": 1, "request_id": "r", "command": command, "work_dir": str(work_dir),
        "attempt": attempt, "lock_timeout_seconds": 5, "model": model, "adapter": None,
        "image_roots": {"images": str(world / "images"), "corrupted": None},
        "lora": LORA, "optimization": KNOBS, **changes,
    }  # fmt: skip
    if command == "train_preference":
        loss = {"beta": 0.1, "chosen_nll_weight": 1 / 1024, "nll_reduction": "sum"}
        return {"pairs_path": str(world / "pairs.jsonl"), "loss": loss, **request}
    return {"examples_path": str(world / "examples.jsonl"), **request}


def _train(request: dict[str, Any], faults: str = "") -> dict[str, Any] | None:
    log = Path(request["work_dir"]).parent / "stderr.log"
    with ModelProcess.fork(faults=faults, log=log) as process:
        return process.run(request)


def _hashes(work_dir: Path) -> dict[str, str]:
    files = sorted((work_dir / "output").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("command", ["train_preference", "train_infused"])
def test_a_training_killed_anywhere_ends_with_the_same_bytes(
    world: Path, tmp_path: Path, command: str
) -> None:
    whole = _train(_request(world, tmp_path / "whole", command))
    assert whole is not None
    assert whole["type"] == "result", whole

    faults = f"{command}.step:kill@5,{command}.save:kill@2,{command}.save_half:kill@3"
    result = None
    for attempt in range(1, 6):
        result = _train(_request(world, tmp_path / "killed", command, attempt), faults)
        if result is not None:
            break

    assert result is not None
    assert result["type"] == "result", result
    assert attempt > 2
    assert _hashes(tmp_path / "killed") == _hashes(tmp_path / "whole")


def test_the_first_loss_is_log_2_plus_the_likelihood_term(world: Path, tmp_path: Path) -> None:
    # trl pull request 6527
    _train(_request(world, tmp_path / "w", "train_preference"))

    first = json.loads((tmp_path / "w" / "output" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(0.693147 - first["logps/chosen"] / 1024, abs=1e-4)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("reduction", ["sum", "sequence", "token"])
def test_cutting_a_batch_differently_gives_the_same_adapter(
    world: Path, tmp_path: Path, reduction: str
) -> None:
    losses = {}
    for size in (1, 2):
        loss = {"beta": 0.1, "chosen_nll_weight": 0.5, "nll_reduction": reduction}
        knobs = {**KNOBS, "micro_batch_size": size}
        lora = {**LORA, "dropout": 0}
        _train(
            _request(
                world,
                tmp_path / str(size),
                "train_preference",
                loss=loss,
                optimization=knobs,
                lora=lora,
            )
        )
        lines = (tmp_path / str(size) / "output" / "metrics.jsonl").read_text().splitlines()
        losses[size] = [json.loads(line)["loss"] for line in lines]
    assert losses[1] == pytest.approx(losses[2], rel=1e-3)


def test_a_second_stage_goes_on_with_the_adapter_of_the_first(world: Path, tmp_path: Path) -> None:
    _train(_request(world, tmp_path / "first", "train_preference"))
    adapter = {"path": str(tmp_path / "first" / "output"), "sha256": "b" * 64}

    result = _train(_request(world, tmp_path / "second", "train_infused", adapter=adapter))

    assert result is not None
    assert result["type"] == "result", result
    assert _hashes(tmp_path / "second") != _hashes(tmp_path / "first")


def test_a_damaged_checkpoint_is_told_and_an_older_one_used(world: Path, tmp_path: Path) -> None:
    _train(_request(world, tmp_path / "whole", "train_infused"))
    request = _request(world, tmp_path / "hurt", "train_infused")
    assert _train(request, "train_infused.step:kill@11") is None
    newest = max((tmp_path / "hurt" / "checkpoints").iterdir()) / "adapter.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)

    with ModelProcess.fork() as process:
        process.run({**request, "attempt": 2})
        notices = [message["name"] for message in process.messages if message["type"] == "notice"]

    assert "checkpoint_damaged" in notices
    assert _hashes(tmp_path / "hurt") == _hashes(tmp_path / "whole")


def test_a_loss_that_is_not_finite_names_step_and_examples(world: Path, tmp_path: Path) -> None:
    # LLaMA-Factory issues 1103 and 1874
    request = _request(
        world,
        tmp_path / "w",
        "train_infused",
        optimization={**KNOBS, "learning_rate": 1e30},
    )

    error = _train(request)

    assert error is not None
    assert error["code"] == "NonFiniteLoss"
    assert error["details"]["example_ids"]
