"""Both trainings, killed at seeded random places: what comes out is what an undisturbed one writes.

`npm test` draws a few kills, `npm run chaos:training` (`STICFLOW_TRAINING_KILLS=20`) twenty of each.
Each kill is SIGKILL to the real process, also in the middle of a checkpoint and of the result
(transformers issues 35782, 29059 and 17032, LLaMA-Factory issue 8300, speculators issue 739).
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from model_process import ModelProcess
from tiny_requests import (
    LORA,
    OPTIMIZATION,
    example_rows,
    output_hashes,
    work_request,
    write_lines,
)
from training_parts import preference_request

NUM_KILLS = int(os.environ.get("STICFLOW_TRAINING_KILLS", "3"))
COMMANDS = ["train_preference", "train_infused"]
# The third has both kinds of examples in one training.
TRAININGS = [*COMMANDS, "train_preference with examples"]
NUM_EXAMPLES = 6
# Dropout, so that a resume with another draw would show.
LORA_WITH_DROPOUT = {**LORA, "dropout": 0.1}
# 6 examples twice by 2: 6 steps of 2 micro-batches, checkpoints of the steps 2, 4 and 6.
NUM_STEPS, NUM_MICRO_BATCHES, NUM_CHECKPOINTS = 6, 12, 3
NUM_PASSES = {
    "step": NUM_MICRO_BATCHES,
    "memory": NUM_MICRO_BATCHES + 1,  # and the dry step
    "logged": NUM_STEPS,
    "save": NUM_CHECKPOINTS,
    "save_half": NUM_CHECKPOINTS,
    "save_filled": NUM_CHECKPOINTS,
    "saved": NUM_CHECKPOINTS,
    "output_half": 1,
}


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, training: str) -> dict[str, Any]:
        command = training.split()[0]
        preference = preference_request(
            checkpoints["llava"],
            pictures,
            tmp_path / name,
            num_pairs=NUM_EXAMPLES,
            lora=LORA_WITH_DROPOUT,
            optimization=OPTIMIZATION,
        )
        if training == "train_preference":
            return preference
        examples = write_lines(tmp_path / name / "examples.jsonl", example_rows(NUM_EXAMPLES))
        if command == "train_preference":
            roots = preference["image_roots"]
            infused = {"examples_path": str(examples), "image_roots": roots, "weight": 1.0}
            return {**preference, "infused": infused}
        same = ("image_roots", "lora", "optimization")
        return work_request(
            command,
            checkpoints["llava"],
            tmp_path / name / "work",
            examples_path=str(examples),
            **{key: preference[key] for key in same},
        )

    return build


def _places(command: str, num_kills: int) -> list[str]:
    """Draw the places of the kills; the same ones every time."""
    draw = random.Random(f"kills/{command}")
    every = [
        f"{command}.{point}:kill@{number}"
        for point, num_passes in NUM_PASSES.items()
        for number in range(1, num_passes + 1)
    ]
    return draw.sample(every, num_kills)


def _attempt(request: dict[str, Any], faults: str) -> dict[str, Any] | None:
    with ModelProcess.fork(faults=faults) as process:
        return process.run(request)


def _finished(request: dict[str, Any]) -> dict[str, str]:
    result = _attempt(request, "")
    assert result is not None
    assert result["type"] == "result", result
    return output_hashes(Path(request["work_dir"]))


@pytest.mark.parametrize("training", TRAININGS)
def test_a_training_killed_at_random_places_ends_with_the_same_bytes(
    request_for, training: str, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = _finished(request_for("undisturbed", training))
    different = []
    for number, place in enumerate(_places(training.split()[0], NUM_KILLS)):
        request = request_for(f"killed-{number}", training)
        assert _attempt(request, place) is None, f"{place} was never reached"
        if _finished({**request, "attempt": 2}) != undisturbed:
            different.append(place)

    with capsys.disabled():
        same = NUM_KILLS - len(different)
        print(f" {training}: {NUM_KILLS} kills, {same} identical", end=" ")  # noqa: T201 - the figure
    assert different == []


@pytest.mark.parametrize("command", COMMANDS)
def test_one_training_killed_again_and_again_ends_with_the_same_bytes(
    request_for, command: str
) -> None:
    undisturbed = _finished(request_for("undisturbed", command))
    request = request_for("killed", command)
    # None of the first three is late enough to leave nothing for the next.
    places = [f"{command}.memory:kill@1", f"{command}.step:kill@2", f"{command}.save_half:kill@1"]
    places += _places(command, NUM_KILLS)

    deaths = 0
    for attempt, place in enumerate(places, start=1):
        if _attempt({**request, "attempt": attempt}, place) is None:
            deaths += 1

    assert deaths >= 3
    assert _finished({**request, "attempt": len(places) + 1}) == undisturbed
