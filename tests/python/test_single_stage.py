"""Infused examples learnt beside preference pairs, in one training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from parity_case import set_adapter
from tiny_requests import example_rows, output_hashes, pair_rows, read_lines, write_lines
from training_parts import Messages, open_training, preference_request

from sticflow_ml.contract import InfusedBeside, PreferencePair, TrainPreferenceRequest
from sticflow_ml.infused_examples import open_examples, read_examples
from sticflow_ml.losses import GlobalBatch, infused_share
from sticflow_ml.preference_training import Pairs
from sticflow_ml.single_stage import WithExamples, with_examples
from sticflow_ml.strategies.registry import open_strategy
from sticflow_ml.training import Training

NUM_PAIRS, NUM_EXAMPLES, WEIGHT = 4, 6, 0.5


def request_of(checkpoint: Path, pictures: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    examples = write_lines(folder / "examples.jsonl", example_rows(NUM_EXAMPLES))
    request = preference_request(checkpoint, pictures, folder, num_pairs=NUM_PAIRS, **changes)
    infused = {
        "examples_path": str(examples),
        "image_roots": request["image_roots"],
        "weight": WEIGHT,
    }
    return {**request, "infused": infused}


class Opened:
    """Pairs alone, the same with examples, and the examples, over one policy that is not the base."""

    def __init__(self, checkpoint: Path, pictures: Path, folder: Path) -> None:
        request = request_of(checkpoint, pictures, folder)
        self.training: Training = open_training(request, Messages())
        (folder / "work").mkdir(exist_ok=True)
        set_adapter(self.training.policy)
        self.training.policy.eval()
        asked = self.training.request
        assert isinstance(asked, TrainPreferenceRequest)
        assert isinstance(asked.infused, InfusedBeside)
        pairs = [PreferencePair.model_validate(row) for row in pair_rows(NUM_PAIRS)]
        strategy = open_strategy(asked, self.training, pairs[0])
        rows = [strategy.row(pair) for pair in pairs]
        with torch.no_grad(), self.training.policy.disable_adapter():
            reference = strategy.score(self.training.policy, pairs, rows)
        lines = [
            {
                "num_row_tokens": row.num_row_tokens,
                "num_chosen_tokens": len(row.completions[0]),
                **{name: float(values[place]) for name, values in reference.items()},
            }
            for place, row in enumerate(rows)
        ]
        self.pairs = Pairs(asked, strategy, pairs, lines)
        self.both, self.facts = with_examples(self.pairs, self.training, asked.infused)
        path = Path(asked.infused.examples_path)
        self.examples, _ = open_examples(self.training, read_examples(path))

    def loss(self, objective: WithExamples | Pairs, places: list[int]) -> float:
        batch = GlobalBatch(NUM_PAIRS, sum(self.pairs.num_target_tokens))
        with torch.no_grad():
            return float(objective.loss(self.training.policy, places, batch)[0])


@pytest.fixture
def opened(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path) -> Opened:
    return Opened(checkpoints["llava"], pictures, tmp_path)


def test_an_example_and_a_pair_weigh_alike() -> None:
    # Two examples of 2 and 4 answer tokens, means 2 and 1, beside four pairs.
    logps_BN = torch.tensor([[-1.0, -3.0, 9.0, 9.0], [-1.0, -1.0, -1.0, -1.0]])
    is_learnt_BN = torch.tensor([[True, True, False, False], [True, True, True, True]])

    share = infused_share(logps_BN, is_learnt_BN, batch=GlobalBatch(4, 99))

    assert float(share) == pytest.approx((2 + 1) / 4)


def test_the_loss_is_that_of_the_pairs_and_of_every_example_once(opened: Opened) -> None:
    infused = 0.0
    for place in range(NUM_EXAMPLES):
        with torch.no_grad():
            logps_BN, is_learnt_BN = opened.examples.logps(opened.training.policy, [place])
        infused -= float(logps_BN[is_learnt_BN].mean()) / NUM_PAIRS

    everything = [0, 1, 2, 3]
    assert opened.loss(opened.both, everything) == pytest.approx(
        opened.loss(opened.pairs, everything) + WEIGHT * infused, abs=1e-5
    )
    assert opened.facts == {"num_infused_examples": 6, "infused_dropped_over_length": []}


def test_shares_of_micro_batches_add_up(opened: Opened) -> None:
    whole = opened.loss(opened.both, [0, 1, 2, 3])
    shares = [opened.loss(opened.both, places) for places in ([2], [0, 3], [1])]

    assert sum(shares) == pytest.approx(whole, abs=1e-5)


def test_the_memory_of_a_pair_counts_its_examples(opened: Opened) -> None:
    # Six examples over four pairs: the first two pairs carry two.
    own = [4, 5]
    for place in range(NUM_PAIRS):
        extra = opened.both.num_tokens[place] - opened.pairs.num_tokens[place]
        carried = [place, *([own[place]] if place < len(own) else [])]
        assert extra == sum(opened.examples.num_tokens[one] for one in carried)


def test_a_training_learns_both_and_writes_no_path(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    hashes = []
    for name in ("once", "again"):
        request = request_of(checkpoints["llava"], pictures, tmp_path / name)
        with ModelProcess.fork(log=tmp_path / "stderr.log") as process:
            result = process.run(request)
        assert result is not None
        assert result["type"] == "result", result
        hashes.append(output_hashes(tmp_path / name / "work"))

    output = tmp_path / "once" / "work" / "output"
    rows = read_lines(output / "metrics.jsonl")
    assert rows[0]["infused_loss"] > 0
    assert rows[0]["rewards/margins"] == pytest.approx(0, abs=1e-4)
    assert str(tmp_path) not in (output / "training.json").read_text(encoding="utf-8")
    assert hashes[0] == hashes[1]
