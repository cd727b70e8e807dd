"""Two ranks train what one trains, and neither death nor a change of their number costs more than a step.

unsloth pull request 8261 and trl issue 5375: loss and gradient independent of (micro-batch,
accumulation, world size). Ranks are real processes that talk over gloo on the CPU.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from model_process import ModelProcess
from rank_runs import (
    LONGEST_START_SECONDS,
    NUM_STEPS,
    assert_gone,
    assert_same_training,
    output,
    request_builder,
    run,
    trained,
    with_ranks,
)
from tiny_requests import output_hashes, read_lines


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    return request_builder(checkpoints, pictures, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train_preference", "train_infused"])
def test_two_ranks_train_the_adapter_of_one(request_for, command: str) -> None:
    alone, shared = request_for("alone", command), request_for("shared", command)
    trained(alone)

    trained(with_ranks(shared, 2))

    assert_same_training(shared, alone)
    facts = json.loads((output(shared) / "training.json").read_text())
    assert facts["world_size"] == 2
    assert facts["num_steps"] == NUM_STEPS


@pytest.mark.slow
def test_the_death_of_a_rank_ends_the_request_and_a_retry_goes_on_to_the_same_bytes(
    request_for,
) -> None:
    whole, hurt = request_for("whole"), request_for("hurt")
    trained(with_ranks(whole, 2))

    # In the last step: what the ranks added up in the second, rank 0 had after the first was saved.
    process = run(with_ranks(hurt, 2), "rank1.train_preference.step:kill@5")

    error = process.messages[-1]
    assert error["type"] == "error", error
    assert error["code"] == "RankDied"
    assert error["details"] == {"rank": 1, "world_size": 2, "exit_code": -signal.SIGKILL}
    assert process.exit_code() == 1

    process = trained(with_ranks(hurt, 2, attempt=2))

    assert "resumed" in process.named("notice")
    assert output_hashes(Path(hurt["work_dir"])) == output_hashes(Path(whole["work_dir"]))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_another_number_of_ranks_goes_on_with_a_checkpoint(
    request_for, before: int, after: int
) -> None:
    alone, moved = request_for("alone"), request_for("moved")
    trained(alone)
    killed = run(with_ranks(moved, before), "train_preference.saved:kill@2")
    assert killed.exit_code() == -signal.SIGKILL

    process = trained(with_ranks(moved, after, attempt=2))

    [notice] = [one for one in process.messages if one.get("name") == "resumed"]
    assert "step 2" in notice["detail"]
    assert_same_training(moved, alone)


@pytest.mark.slow
def test_what_a_rank_has_to_say_is_said_in_its_own_words(request_for) -> None:
    # The longest example does not fit on the second device, not even alone.
    request = with_ranks(request_for("work", "train_infused"), 2)

    process = run(request, "rank1.train_infused.memory:out_of_memory@1")

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
    trained(whole)

    process = trained(with_ranks(tight, 2), "rank1.train_infused.memory:out_of_memory@2")

    facts = json.loads((output(tight) / "training.json").read_text())
    assert [one["micro_batch_size"] for one in facts["deviations"]] == [1]
    assert "micro_batch_halved" in process.named("notice")
    assert_same_training(tight, whole)


@pytest.mark.slow
def test_all_ranks_stop_after_the_same_step_when_asked_to(request_for) -> None:
    request = with_ranks(request_for("work", save_steps=100), 2)
    with ModelProcess.fork() as process:
        process.send(request)
        process.until("metric", timeout_seconds=LONGEST_START_SECONDS)
        os.killpg(process.pid, signal.SIGTERM)  # as a worker does: every rank gets it
        process.until("result", "error")

        assert process.exit_code() == 75
        assert_gone(process.pid)
    checkpoints = list((Path(request["work_dir"]) / "checkpoints").iterdir())
    assert len(checkpoints) == 1
    metrics = read_lines(Path(request["work_dir"]) / "metrics.partial.jsonl")
    assert checkpoints[0].name == f"checkpoint-{metrics[-1]['step']}"


@pytest.mark.slow
def test_the_death_of_the_first_rank_leaves_no_other_behind(request_for) -> None:
    # `_run` looks for them.
    process = run(with_ranks(request_for("work"), 2), "train_preference.step:kill@2")

    assert process.exit_code() == -signal.SIGKILL


def test_more_ranks_than_devices_is_refused_with_what_there_is(
    request_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sticflow_ml.rank_processes import require_devices

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)

    require_devices("cuda", 3)
    with pytest.raises(Exception, match="found 3"):
        require_devices("cuda", 4)
