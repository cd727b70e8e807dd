"""The order of the examples: a pure function of seed, pass and, where asked for, of their lengths."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from model_process import ModelProcess
from tiny_requests import LORA, OPTIMIZATION, output_hashes, pair_rows, read_lines, write_lines
from training_parts import preference_request

from sticflow_ml.contract import OptimizationSpec
from sticflow_ml.objective import example_order, longest_first
from sticflow_ml.trainer_inputs import NOBODY, accumulation_steps, turns_of
from sticflow_ml.world import World

NUM_PAIRS = 8
KNOBS = {**OPTIMIZATION, "global_batch_size": 4, "micro_batch_size": 2, "num_epochs": 2}


def _batches(order: list[int], size: int) -> list[list[int]]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def test_every_pass_is_another_shuffle_of_all_examples() -> None:
    order = example_order(6, 2, seed=7)

    first, second = order[:6], order[6:]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4, 5]
    assert first != second
    assert example_order(6, 2, seed=7) == order
    assert example_order(6, 2, seed=8) != order


def test_by_length_sorts_inside_a_global_batch_and_nowhere_else() -> None:
    # Batches {0, 1, 2} and {3, 4} as drawn; 1 and 2 are as long as each other.
    assert longest_first([0, 1, 2, 3, 4], [5, 9, 9, 2, 7], 3) == [1, 2, 0, 4, 3]


def test_by_length_leaves_every_update_over_the_examples_that_were_drawn() -> None:
    order = example_order(50, 2, seed=3)
    lengths = [(37 * place) % 41 for place in range(50)]

    by_length = longest_first(order, lengths, 8)

    assert [sorted(batch) for batch in _batches(by_length, 8)] == [
        sorted(batch) for batch in _batches(order, 8)
    ]
    for batch in _batches(by_length, 8):
        assert all(lengths[one] >= lengths[other] for one, other in pairwise(batch))


def test_by_length_pads_less() -> None:
    order = example_order(64, 1, seed=0)
    lengths = [20 + (53 * place) % 200 for place in range(64)]

    def padded(order: list[int]) -> int:
        cut = _batches(order, 4)
        return sum(len(part) * max(lengths[place] for place in part) for part in cut)

    shuffled, by_length = padded(order), padded(longest_first(order, lengths, 16))

    assert by_length - sum(lengths) < 0.5 * (shuffled - sum(lengths))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("num_examples", [1, 5, 6, 16])
def test_the_ranks_share_every_micro_batch_out_and_take_as_many_steps(
    size: int, num_examples: int
) -> None:
    spec = OptimizationSpec.model_validate({**KNOBS, "global_batch_size": 6})
    worlds = [World(rank, size, None) for rank in range(size)]
    turns = [turns_of(world, num_examples, spec) for world in worlds]
    in_a_step = accumulation_steps(spec, worlds[0]) * 2

    assert sorted(turn for one in turns for turn in one if turn != NOBODY) == list(
        range(num_examples)
    )
    if size > 1:
        assert {len(one) for one in turns} == {-(-num_examples // 6) * in_a_step}
    for one in turns:
        for step, of_step in enumerate(_batches(one, in_a_step)):
            assert all(turn // 6 == step for turn in of_step if turn != NOBODY)


def test_the_ranks_get_the_micro_batches_of_one_rank_in_turn() -> None:
    spec = OptimizationSpec.model_validate({**KNOBS, "micro_batch_size": 1})

    # The example of `turns_of`.
    assert turns_of(World(0, 2, None), 6, spec) == [0, 2, 4, NOBODY]
    assert turns_of(World(1, 2, None), 6, spec) == [1, 3, 5, NOBODY]


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, **knobs: Any) -> dict[str, Any]:
        request = preference_request(
            checkpoints["llava"],
            pictures,
            tmp_path / name,
            num_pairs=NUM_PAIRS,
            lora={**LORA, "dropout": 0.1},
            optimization={**KNOBS, **knobs},
        )
        rows = pair_rows(NUM_PAIRS)
        for number, row in enumerate(rows):
            more = " and more" * (number * 5 % 8)
            row["chosen"][0]["content"][0]["text"] += more
        write_lines(Path(request["pairs_path"]), rows)
        return request

    return build


def _attempt(request: dict[str, Any], faults: str = "") -> dict[str, Any] | None:
    with ModelProcess.fork(faults=faults) as process:
        return process.run(request)


def _trained(request: dict[str, Any]) -> dict[str, str]:
    result = _attempt(request)
    assert result is not None
    assert result["type"] == "result", result
    return output_hashes(Path(request["work_dir"]))


def test_a_training_by_length_killed_anywhere_ends_with_the_same_bytes(request_for) -> None:
    whole = _trained(request_for("whole", batching="by_length"))
    request = request_for("killed", batching="by_length")
    for attempt, fault in enumerate(("step:kill@3", "save_half:kill@1", "step:kill@2"), start=1):
        assert _attempt({**request, "attempt": attempt}, f"train_preference.{fault}") is None

    assert _trained({**request, "attempt": 4}) == whole


def test_the_first_update_by_length_is_the_same_up_to_rounding(request_for) -> None:
    losses = {}
    for batching in ("shuffled", "by_length"):
        request = request_for(batching, batching=batching)
        request["lora"]["dropout"] = 0.0
        _trained(request)
        losses[batching] = read_lines(Path(request["work_dir"]) / "output/metrics.jsonl")

    assert losses["by_length"][0]["loss"] == pytest.approx(losses["shuffled"][0]["loss"], rel=1e-4)
    norms = [losses[batching][0]["grad_norm"] for batching in ("shuffled", "by_length")]
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)


def test_a_request_that_names_no_batching_is_trained_as_before(request_for) -> None:
    request = request_for("plain")
    _trained(request)

    facts = json.loads((Path(request["work_dir"]) / "output" / "training.json").read_text())

    assert facts["optimization"] == KNOBS
    assert "world_size" not in facts
