"""What a training is about, where it works, and in which order it sees its examples."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from sticflow_ml.contract import OptimizationSpec
from sticflow_ml.faults import Faults
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.protocol import Reporter
from sticflow_ml.world import ALONE, World


class Objective(Protocol):
    """What a training is about: its examples and their loss.

    `num_tokens` are those of the row that an example makes, which its memory grows with;
    `num_target_tokens` those that its likelihood is over.
    """

    example_ids: list[str]
    num_tokens: list[int]
    num_target_tokens: list[int]

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Share of the micro-batch in the loss, and sums of metrics over its examples.

        `model` is what gradients go through: the policy, or a wrapper around it.
        """
        ...


@dataclass(frozen=True)
class Workplace:
    """Where a training works and whom it tells."""

    work_dir: Path
    reporter: Reporter
    lifeline: Lifeline
    faults: Faults
    world: World = ALONE
    # The base is shared out over the ranks, so that all of them must run the same number of passes.
    is_sharded: bool = False

    @property
    def checkpoints(self) -> Path:
        """Folder of the resumable states."""
        return self.work_dir / "checkpoints"


def training_order(objective: Objective, spec: OptimizationSpec) -> list[int]:
    """Places of the examples in the order of training; the same for every attempt and world size."""
    order = example_order(len(objective.example_ids), spec.num_epochs, spec.seed)
    if spec.batching == "by_length":
        return longest_first(order, objective.num_tokens, spec.global_batch_size)
    return order


def longest_first(order: list[int], lengths: list[int], batch_size: int) -> list[int]:
    """Sort the examples of every global batch by length, the longest first.

    LLaVA's mega-batches (llava/train/llava_trainer.py, `get_length_grouped_indices`), with one global
    batch as the mega-batch: which examples an update is over stays as it was drawn, so the loss stays
    too; only the micro-batches it is cut into are of like length and padded less.

    Example: order 0 1 2 3 with lengths 5 9 7 7 and batches of 2 becomes 1 0 2 3.
    """
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    # `sorted` is stable: examples of one length keep the order they were drawn in.
    return [
        place for batch in batches for place in sorted(batch, key=lambda place: -lengths[place])
    ]


def example_order(num_examples: int, num_epochs: float, seed: int) -> list[int]:
    """Places of the examples in the order of training: a new shuffle for every pass."""
    order: list[int] = []
    while len(order) < round(num_examples * num_epochs):
        places = list(range(num_examples))
        random.Random(f"{seed}/{len(order) // num_examples}").shuffle(places)
        order += places
    return order[: round(num_examples * num_epochs)]
