"""What a training is about, where it works, and in which order it sees its examples."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from sticflow_ml.faults import Faults
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.protocol import Reporter


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


def example_order(num_examples: int, num_epochs: float, seed: int) -> list[int]:
    """Places of the examples in the order of training: a new shuffle for every pass."""
    order: list[int] = []
    while len(order) < round(num_examples * num_epochs):
        places = list(range(num_examples))
        random.Random(f"{seed}/{len(order) // num_examples}").shuffle(places)
        order += places
    return order[: round(num_examples * num_epochs)]
