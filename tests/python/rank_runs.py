"""Trainings by several ranks: real processes that talk over gloo on the CPU."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from model_process import ModelProcess
from safetensors.torch import load_file
from tiny_requests import (
    LORA,
    OPTIMIZATION,
    example_rows,
    read_lines,
    work_request,
    write_lines,
)
from training_parts import preference_request

NUM_EXAMPLES = 5
# 5 examples twice by 4: two whole steps and one of 2 examples, in micro-batches of 1. With two ranks
# the last one leaves each with one micro-batch of the two that a step has room for.
KNOBS = {**OPTIMIZATION, "num_epochs": 2, "global_batch_size": 4, "save_steps": 1}
NUM_STEPS = 3
# Weights after three steps of AdamW at 1e-2 with gradients added up in another order, float32.
TOLERANCE = 2e-4
LONGEST_START_SECONDS = 120


def training_request(
    checkpoint: Path,
    pictures: Path,
    folder: Path,
    command: str = "train_preference",
    *,
    dropout: float = 0.1,
    **knobs: Any,
) -> dict[str, Any]:
    """A training of `NUM_EXAMPLES` examples; `knobs` are of the optimizer."""
    preference = preference_request(
        checkpoint,
        pictures,
        folder,
        num_pairs=NUM_EXAMPLES,
        lora={**LORA, "dropout": dropout},
        optimization={**KNOBS, **knobs},
    )
    if command == "train_preference":
        return preference
    examples = write_lines(folder / "examples.jsonl", example_rows(NUM_EXAMPLES))
    same = ("image_roots", "lora", "optimization")
    return work_request(
        command,
        checkpoint,
        folder / "work",
        examples_path=str(examples),
        **{key: preference[key] for key in same},
    )


def request_builder(checkpoints: dict[str, Path], pictures: Path, folder: Path):
    """What builds `training_request`s by name, of LLaVA where no other family is named."""

    def build(name: str, *command: str, family: str = "llava", **knobs: Any) -> dict[str, Any]:
        return training_request(checkpoints[family], pictures, folder / name, *command, **knobs)

    return build


def run(request: dict[str, Any], faults: str = "") -> ModelProcess:
    """Send a request to a process of its own; nothing of its group is left when it fails."""
    log = Path(request["work_dir"]).parent / "stderr.log"
    with ModelProcess.fork(faults=faults, log=log) as process:
        process.send(request)
        last = process.until("result", "error", timeout_seconds=LONGEST_START_SECONDS)
        if last is None or last["type"] == "error":
            # Before this context ends the group: nothing of it may be left by then.
            process.exit_code()
            assert_gone(process.pid)
        return process


def trained(request: dict[str, Any], faults: str = "") -> ModelProcess:
    """`run`, and a result."""
    process = run(request, faults)
    assert process.messages[-1]["type"] == "result", process.messages[-1]
    return process


def with_ranks(request: dict[str, Any], number: int, attempt: int = 1) -> dict[str, Any]:
    """The same training by `number` ranks."""
    optimization = {**request["optimization"], "world_size": number}
    return {**request, "optimization": optimization, "attempt": attempt}


def output(request: dict[str, Any]) -> Path:
    """Folder of the result."""
    return Path(request["work_dir"]) / "output"


def assert_same_training(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The two results differ by rounding alone."""
    name = "adapter_model.safetensors"
    ours, theirs = load_file(output(one) / name), load_file(output(other) / name)
    assert ours.keys() == theirs.keys()
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) < TOLERANCE
    lines = [read_lines(output(request) / "metrics.jsonl") for request in (one, other)]
    assert len(lines[0]) > 0
    for row, expected in zip(*lines, strict=True):
        row.pop("epoch"), expected.pop("epoch")  # counted in micro-batches, which ranks share
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-5)


def _processes_of(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # pid (name) state parent group; the name may hold spaces.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def assert_gone(group: int) -> None:
    """No process of the group is there, or in a moment."""
    deadline = time.monotonic() + 10
    while _processes_of(group):
        assert time.monotonic() < deadline, f"{_processes_of(group)} outlive their model process"
        time.sleep(0.05)
