"""A training whose device is fuller than planned, with failures planted behind a backward pass.

There the gradients of the failed micro-batch are complete: a recovery that kept them would count it
twice (unsloth issue 1624, trl issues 2452 and 1087, LLaMA-Factory issue 5722).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from safetensors.torch import load_file
from tiny_requests import (
    OPTIMIZATION,
    example_rows,
    output_hashes,
    read_lines,
    work_request,
    write_lines,
)
from training_parts import preference_request

NUM_EXAMPLES = 8
# 2 steps of 2 micro-batches of 4; the first pass over the model is the dry one.
KNOBS = {**OPTIMIZATION, "num_epochs": 2, "global_batch_size": 8, "micro_batch_size": 4}
COMMANDS = ["train_preference", "train_infused"]
# Weights after two steps of AdamW at 1e-2, cut differently: rounding of gradients, float32.
TOLERANCE = 2e-4


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, command: str, **knobs: Any) -> dict[str, Any]:
        optimization = {**KNOBS, **knobs}
        preference = preference_request(
            checkpoints["llava"],
            pictures,
            tmp_path / name,
            num_pairs=NUM_EXAMPLES,
            optimization=optimization,
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


def _run(request: dict[str, Any], *failures: int) -> ModelProcess:
    """Train with memory failing at these passes over the model."""
    point = f"{request['command']}.memory:out_of_memory"
    faults = ",".join(f"{point}@{number}" for number in failures)
    with ModelProcess.fork(faults=faults) as process:
        process.run(request)
        return process


def _trained(request: dict[str, Any], *failures: int) -> dict[str, Any]:
    message = _run(request, *failures).messages[-1]
    assert message["type"] == "result", message
    return json.loads((_output(request) / "training.json").read_text())


def _output(request: dict[str, Any]) -> Path:
    return Path(request["work_dir"]) / "output"


def _weights(request: dict[str, Any]) -> dict[str, torch.Tensor]:
    return load_file(_output(request) / "adapter_model.safetensors")


def _largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    ours, theirs = _weights(one), _weights(other)
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("failure", [1, 2, 3, 4, 5], ids=lambda number: f"pass {number}")
def test_half_the_micro_batch_makes_the_same_adapter(
    request_for, command: str, failure: int
) -> None:
    whole, tight = request_for("whole", command), request_for("tight", command)
    _trained(whole)

    facts = _trained(tight, failure)

    assert _largest_difference(whole, tight) < TOLERANCE
    step = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2}[failure]
    assert facts["deviations"] == [
        {"name": "micro_batch_halved", "step": step, "micro_batch_size": 2}
    ]
    for line, expected in zip(
        read_lines(_output(tight) / "metrics.jsonl"),
        read_lines(_output(whole) / "metrics.jsonl"),
        strict=True,
    ):
        if line["step"] == 1:
            # Policy and reference are one there: which of two equal rewards is larger, rounding says.
            line.pop("rewards/accuracies", None)
            expected.pop("rewards/accuracies", None)
        assert line == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_the_tolerance_tells_an_adapter_of_half_the_global_batch(request_for) -> None:
    whole = request_for("whole", "train_infused")
    half = request_for("half", "train_infused", global_batch_size=4)
    _trained(whole)
    _trained(half)

    assert _largest_difference(whole, half) > 5 * TOLERANCE


def test_failing_in_the_dry_step_equals_asking_for_less(request_for) -> None:
    # Preparation of infused examples does not depend on the micro-batch: the very bytes are equal.
    tight = request_for("tight", "train_infused")
    small = request_for("small", "train_infused", micro_batch_size=2)
    _trained(tight, 1)
    _trained(small)

    # (Losses in the metrics are sums in another order.)
    name = "adapter_model.safetensors"
    assert (_output(tight) / name).read_bytes() == (_output(small) / name).read_bytes()


def test_the_owner_hears_of_every_halving(request_for) -> None:
    process = _run(request_for("tight", "train_preference"), 1, 3)

    details = [one["detail"] for one in process.messages if one.get("name") == "micro_batch_halved"]
    assert len(details) == 2
    assert "4 examples at once in step 1" in details[0]
    assert "anew with 1" in details[1]
    assert process.messages[-1]["summary"]["num_deviations"] == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_what_does_not_fit_one_by_one_is_out_of_memory_and_names_the_longest(
    request_for, command: str
) -> None:
    request = request_for("tight", command)

    error = _run(request, 1, 2, 3).messages[-1]

    assert error["type"] == "error", error
    assert error["code"] == "OutOfMemory"
    assert error["details"]["micro_batch_size"] == 1
    longest = error["details"]["longest_example_id"]
    assert longest in error["message"]
    assert f"{error['details']['longest_example_tokens']} tokens" in error["message"]
    if command == "train_preference":  # `pair-2` and `pair-5` have the most words
        assert longest in ("pair-2", "pair-5")


def test_a_micro_batch_is_halved_three_times_at_most(request_for) -> None:
    request = request_for(
        "tight", "train_infused", micro_batch_size=16, global_batch_size=16, num_epochs=4
    )

    process = _run(request, 1, 2, 3, 4)

    assert process.messages[-1]["code"] == "OutOfMemory"
    assert process.messages[-1]["details"]["micro_batch_size"] == 2
    assert sum(one.get("name") == "micro_batch_halved" for one in process.messages) == 3


def test_a_later_attempt_goes_on_with_the_smaller_micro_batch(request_for) -> None:
    whole = request_for("whole", "train_infused", save_steps=1, num_epochs=4)
    killed = request_for("killed", "train_infused", save_steps=1, num_epochs=4)
    memory = "train_infused.memory:out_of_memory@1"
    for request, faults in ((whole, memory), (killed, f"{memory},train_infused.step:kill@9")):
        with ModelProcess.fork(faults=faults) as process:
            process.run(request)
    assert not _output(killed).exists()

    facts = _trained({**killed, "attempt": 2})

    assert [one["micro_batch_size"] for one in facts["deviations"]] == [2]
    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))
