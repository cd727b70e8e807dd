"""Infused examples learnt beside preference pairs, in one training.

Ours, after the outlook of STIC (arXiv:2405.19716). Every pair carries its share of the examples, by their
places alone, so that the order of the pairs is the order of everything: a global batch, a micro-batch and a checkpoint
mean what they mean for pairs.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.contract import InfusedBeside
from sticflow_ml.infused_examples import Examples, open_examples, read_examples
from sticflow_ml.losses import GlobalBatch, infused_share
from sticflow_ml.objective import Objective
from sticflow_ml.training import Training


class WithExamples:
    """Pairs, each with the examples whose place is its own modulo the number of pairs."""

    def __init__(
        self, pairs: Objective, examples: Examples, weight: float, *, is_sharded: bool
    ) -> None:
        self._pairs = pairs
        self._is_sharded = is_sharded
        self._examples = examples
        self._weight = weight
        self.example_ids = pairs.example_ids
        self.num_target_tokens = pairs.num_target_tokens
        # Both passes of a micro-batch are in memory together.
        self.num_tokens = [
            tokens + sum(examples.num_tokens[of_pair] for of_pair in self._of(place))
            for place, tokens in enumerate(pairs.num_tokens)
        ]

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Loss of the pairs, and the weighted mean cross-entropy of each of their examples."""
        loss, metrics = self._pairs.loss(model, places, batch)
        examples = [of_pair for place in places for of_pair in self._of(place)]
        if not examples:
            if self._is_sharded:
                # The other ranks are in their pass over examples, and need this one.
                loss = loss + 0 * self._examples.logps(model, [0])[0].sum()
            return loss, {**metrics, "infused_loss": 0.0}
        logps_BN, is_learnt_BN = self._examples.logps(model, examples)
        infused = infused_share(logps_BN, is_learnt_BN, batch=batch)
        num_pairs = batch.num_examples
        return loss + self._weight * infused, {
            **metrics,
            "infused_loss": float(infused.detach().double()) * num_pairs,
        }

    def _of(self, place: int) -> range:
        return range(place, len(self._examples.example_ids), len(self._pairs.example_ids))


def with_examples(
    pairs: Objective, training: Training, infused: InfusedBeside
) -> tuple[WithExamples, dict[str, Any]]:
    """Read, measure and attach the examples; also the facts about them.

    Raises:
        SticflowError: `DataInvalid`.
    """
    path = Path(infused.examples_path)
    of_examples = dataclasses.replace(
        training, data_path=path, images=training.loaded.images(infused.image_roots)
    )
    examples, facts = open_examples(of_examples, read_examples(path))
    is_sharded = training.workplace.is_sharded
    return WithExamples(pairs, examples, infused.weight, is_sharded=is_sharded), {
        "num_infused_examples": facts["num_examples"],
        "infused_dropped_over_length": facts["dropped_over_length"],
    }
