"""What a strategy says about a pair; `preference_training` does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from sticflow_ml.contract import PreferencePair
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.shared_prefix import Row

# Summed log-probabilities (B,) of what is scored, by name; always with `chosen`
Logps = dict[str, torch.Tensor]


class PairStrategy(Protocol):
    """Tokens, log-probabilities and loss of pairs.

    `forward` names how the texts go through the model, `forward_reason` why not better; both stand
    in training.json.
    """

    forward: str
    forward_reason: str

    def row(self, pair: PreferencePair) -> Row:
        """Tokens of a pair, completion 0 the chosen text."""
        ...

    def score(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> Logps:
        """Log-probabilities under a policy. The reference is scored by the same code."""
        ...

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Share of a micro-batch in the loss of its global batch, and sums of its metrics.

        Shares add up to the same however the batch is cut. `reference` is empty where the request
        asks for none.
        """
        ...
