"""Ranks that share the frozen base out (FSDP2) train what ranks with a whole base each train, to the bit.

Every rank must run as many passes as the others, or all of them wait for ever: the shapes below are those
where one has less to do. Ranks are real processes that talk over gloo on the CPU.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from rank_runs import (
    NUM_EXAMPLES,
    assert_same_training,
    output,
    request_builder,
    run,
    trained,
    training_request,
    with_ranks,
)
from tiny_requests import example_rows, write_lines

pytestmark = pytest.mark.slow


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    return request_builder(checkpoints, pictures, tmp_path)


def _sharded(request: dict[str, Any], attempt: int = 1) -> dict[str, Any]:
    request = with_ranks(request, 2, attempt)
    return {**request, "optimization": {**request["optimization"], "parallelism": "sharded"}}


def _adapter(request: dict[str, Any]) -> bytes:
    return (output(request) / "adapter_model.safetensors").read_bytes()


def _facts(request: dict[str, Any]) -> dict[str, Any]:
    return json.loads((output(request) / "training.json").read_text())


@pytest.fixture(scope="module")
def whole(
    checkpoints: dict[str, Path], pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The training that two ranks with a whole base each have finished."""
    folder = tmp_path_factory.mktemp("whole")
    request = training_request(checkpoints["llava"], pictures, folder / "run")
    trained(with_ranks(request, 2))
    return request


def test_a_shared_out_base_gives_the_bytes_of_a_whole_one(request_for, whole) -> None:
    shared = request_for("shared")

    trained(_sharded(shared))

    assert _adapter(shared) == _adapter(whole)
    facts = _facts(shared)
    assert facts["parallelism"] == "sharded"
    # Embeddings, head and vision tower stay whole; of the blocks a rank has half.
    assert facts["base_bytes_on_first_rank"] < facts["base_bytes"]
    assert "parallelism" not in _facts(whole)


def test_so_does_another_family_that_computes_activations_twice(request_for) -> None:
    knobs = {"family": "llava_next", "gradient_checkpointing": True}
    alone, shared = (request_for(name, "train_infused", **knobs) for name in ("alone", "shared"))
    trained(alone)

    trained(_sharded(shared))

    assert_same_training(shared, alone)


def test_a_rank_with_less_to_do_holds_no_other_up(request_for) -> None:
    # A group of one pair that is too long has nothing to score, and of three micro-batches a step one
    # rank has two.
    limit = _lengths_of(request_for("lengths"))[2]
    knobs = {"max_length": limit, "global_batch_size": 3}
    alone, shared = (request_for(name, **knobs) for name in ("alone", "shared"))
    trained(alone)

    trained(_sharded(shared))

    assert 0 < len(_facts(shared)["dropped_over_length"]) < NUM_EXAMPLES
    assert_same_training(shared, alone)


def test_pairs_without_examples_beside_them_hold_no_rank_up(request_for, tmp_path: Path) -> None:
    requests = []
    for name in ("alone", "shared"):
        request = request_for(name)
        # Fewer than pairs.
        examples = write_lines(tmp_path / name / "examples.jsonl", example_rows(2))
        infused = {
            "examples_path": str(examples),
            "image_roots": request["image_roots"],
            "weight": 0.5,
        }
        requests.append({**request, "infused": infused})
    alone, shared = requests
    trained(alone)

    trained(_sharded(shared))

    assert_same_training(shared, alone)


def _lengths_of(request: dict[str, Any]) -> list[int]:
    """Tokens of the pairs, shortest first; of a training that is refused for its limit."""
    process = run({**request, "optimization": {**request["optimization"], "max_length": 1}})
    assert process.messages[-1]["code"] == "DataInvalid"
    lines = Path(request["work_dir"], "reference_logps.jsonl").read_text().splitlines()
    return sorted(json.loads(line)["num_tokens"] for line in lines)


def test_the_death_of_a_rank_ends_the_request_and_a_retry_goes_on_to_the_same_bytes(
    request_for, whole
) -> None:
    hurt = request_for("hurt")

    process = run(_sharded(hurt), "rank1.train_preference.step:kill@5")

    error = process.messages[-1]
    assert error["code"] == "RankDied", error
    assert error["details"] == {"rank": 1, "world_size": 2, "exit_code": -signal.SIGKILL}
    process = trained(_sharded(hurt, attempt=2))
    assert "resumed" in process.named("notice")
    assert _adapter(hurt) == _adapter(whole)


def test_a_checkpoint_of_a_shared_out_base_is_gone_on_with_by_one_process(request_for) -> None:
    alone, moved = request_for("alone"), request_for("moved")
    trained(alone)
    assert run(_sharded(moved), "train_preference.saved:kill@2").exit_code() == -signal.SIGKILL

    process = trained({**moved, "attempt": 2})

    [notice] = [one for one in process.messages if one.get("name") == "resumed"]
    assert "step 2" in notice["detail"]
    assert_same_training(moved, alone)


def test_memory_that_fails_on_one_rank_is_a_typed_failure_because_the_others_wait_in_the_pass(
    request_for,
) -> None:
    request = _sharded(request_for("work", "train_infused", micro_batch_size=2))

    error = run(request, "rank1.train_infused.memory:out_of_memory@2").messages[-1]

    assert error["code"] == "OutOfMemory"
    assert error["message"].startswith("Rank 1 of 2: ")
    assert "parallelism" in error["message"]
    assert error["details"]["micro_batch_size"] == 2
