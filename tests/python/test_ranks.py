"""Two ranks train what one trains, and neither death nor a change of their number costs more than a step.

unsloth pull request 8261 and trl issue 5375: loss and gradient independent of (micro-batch,
accumulation, world size). Ranks are real processes that talk over gloo on the CPU.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from safetensors.torch import load_file
from tiny_requests import (
    LORA,
    OPTIMIZATION,
    example_rows,
    output_hashes,
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


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(
        name: str, command: str = "train_preference", *, dropout: float = 0.1, **knobs: Any
    ) -> dict[str, Any]:
        preference = preference_request(
            checkpoints["llava"],
            pictures,
            tmp_path / name,
            num_pairs=NUM_EXAMPLES,
            lora={**LORA, "dropout": dropout},
            optimization={**KNOBS, **knobs},
        )
        if command == "train_preference":
            return preference
        examples = write_lines(tmp_path / name / "examples.jsonl", example_rows(NUM_EXAMPLES))
        same = ("image_roots", "lora", "optimization")
        return work_request(
            command,
            checkpoints["llava"],
            tmp_path / name / "work",
            examples_path=str(examples),
            **{key: preference[key] for key in same},
        )

    return build


def _run(request: dict[str, Any], faults: str = "") -> ModelProcess:
    log = Path(request["work_dir"]).parent / "stderr.log"
    with ModelProcess.fork(faults=faults, log=log) as process:
        process.send(request)
        last = process.until("result", "error", timeout_seconds=LONGEST_START_SECONDS)
        if last is None or last["type"] == "error":
            # Before this context ends the group: nothing of it may be left by then.
            process.exit_code()
            _assert_gone(process.pid)
        return process


def _trained(request: dict[str, Any], faults: str = "") -> ModelProcess:
    process = _run(request, faults)
    assert process.messages[-1]["type"] == "result", process.messages[-1]
    return process


def _with_ranks(request: dict[str, Any], number: int, attempt: int = 1) -> dict[str, Any]:
    optimization = {**request["optimization"], "world_size": number}
    return {**request, "optimization": optimization, "attempt": attempt}


def _output(request: dict[str, Any]) -> Path:
    return Path(request["work_dir"]) / "output"


def _assert_same_training(one: dict[str, Any], other: dict[str, Any]) -> None:
    name = "adapter_model.safetensors"
    ours, theirs = load_file(_output(one) / name), load_file(_output(other) / name)
    assert ours.keys() == theirs.keys()
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) < TOLERANCE
    lines = [read_lines(_output(request) / "metrics.jsonl") for request in (one, other)]
    assert len(lines[0]) == NUM_STEPS
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


def _assert_gone(group: int) -> None:
    deadline = time.monotonic() + 10
    while _processes_of(group):
        assert time.monotonic() < deadline, f"{_processes_of(group)} outlive their model process"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train_preference", "train_infused"])
def test_two_ranks_train_the_adapter_of_one(request_for, command: str) -> None:
    alone, shared = request_for("alone", command), request_for("shared", command)
    _trained(alone)

    _trained(_with_ranks(shared, 2))

    _assert_same_training(shared, alone)
    facts = json.loads((_output(shared) / "training.json").read_text())
    assert facts["world_size"] == 2
    assert facts["num_steps"] == NUM_STEPS


@pytest.mark.slow
def test_the_death_of_a_rank_ends_the_request_and_a_retry_goes_on_to_the_same_bytes(
    request_for,
) -> None:
    whole, hurt = request_for("whole"), request_for("hurt")
    _trained(_with_ranks(whole, 2))

    # In the last step: what the ranks added up in the second, rank 0 had after the first was saved.
    process = _run(_with_ranks(hurt, 2), "rank1.train_preference.step:kill@5")

    error = process.messages[-1]
    assert error["type"] == "error", error
    assert error["code"] == "RankDied"
    assert error["details"] == {"rank": 1, "world_size": 2, "exit_code": -signal.SIGKILL}
    assert process.exit_code() == 1

    process = _trained(_with_ranks(hurt, 2, attempt=2))

    assert "resumed" in process.named("notice")
    assert output_hashes(Path(hurt["work_dir"])) == output_hashes(Path(whole["work_dir"]))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_another_number_of_ranks_goes_on_with_a_checkpoint(
    request_for, before: int, after: int
) -> None:
    alone, moved = request_for("alone"), request_for("moved")
    _trained(alone)
    killed = _run(_with_ranks(moved, before), "train_preference.saved:kill@2")
    assert killed.exit_code() == -signal.SIGKILL

    process = _trained(_with_ranks(moved, after, attempt=2))

    [notice] = [one for one in process.messages if one.get("name") == "resumed"]
    assert "step 2" in notice["detail"]
    _assert_same_training(moved, alone)


@pytest.mark.slow
def test_what_a_rank_has_to_say_is_said_in_its_own_words(request_for) -> None:
    # The longest example does not fit on the second device, not even alone.
    request = _with_ranks(request_for("work", "train_infused"), 2)

    process = _run(request, "rank1.train_infused.memory:out_of_memory@1")

    error = process.messages[-1]
    assert error["code"] == "OutOfMemory"
    assert error["message"].startswith("Rank 1 of 2: ")
    assert error["details"]["micro_batch_size"] == 1


@pytest.mark.slow
def test_memory_that_fails_on_one_rank_is_halved_on_all_and_recorded(request_for) -> None:
    # Without dropout: smaller pieces draw from places of their own.
    knobs = {"micro_batch_size": 2, "dropout": 0.0}
    whole = request_for("whole", "train_infused", **knobs)
    tight = request_for("tight", "train_infused", **knobs)
    _trained(whole)

    process = _trained(_with_ranks(tight, 2), "rank1.train_infused.memory:out_of_memory@2")

    facts = json.loads((_output(tight) / "training.json").read_text())
    assert [one["micro_batch_size"] for one in facts["deviations"]] == [1]
    assert "micro_batch_halved" in process.named("notice")
    _assert_same_training(tight, whole)


@pytest.mark.slow
def test_all_ranks_stop_after_the_same_step_when_asked_to(request_for) -> None:
    request = _with_ranks(request_for("work", save_steps=100), 2)
    with ModelProcess.fork() as process:
        process.send(request)
        process.until("metric", timeout_seconds=LONGEST_START_SECONDS)
        os.killpg(process.pid, signal.SIGTERM)  # as a worker does: every rank gets it
        process.until("result", "error")

        assert process.exit_code() == 75
        _assert_gone(process.pid)
    checkpoints = list((Path(request["work_dir"]) / "checkpoints").iterdir())
    assert len(checkpoints) == 1
    metrics = read_lines(Path(request["work_dir"]) / "metrics.partial.jsonl")
    assert checkpoints[0].name == f"checkpoint-{metrics[-1]['step']}"


@pytest.mark.slow
def test_the_death_of_the_first_rank_leaves_no_other_behind(request_for) -> None:
    # `_run` looks for them.
    process = _run(_with_ranks(request_for("work"), 2), "train_preference.step:kill@2")

    assert process.exit_code() == -signal.SIGKILL


def test_more_ranks_than_devices_is_refused_with_what_there_is(
    request_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sticflow_ml.ranks import _require_devices

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)

    _require_devices("cuda", 3)
    with pytest.raises(Exception, match="found 3"):
        _require_devices("cuda", 4)
