"""Supervised fine-tuning on the chosen texts alone: the ablation of STIC's table 3 (arXiv:2405.19716)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import PreferencePair
from sticflow_ml.losses import GlobalBatch, chosen_nll
from sticflow_ml.pair_scorer import text_row, text_scores
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training


class PositiveOnly:
    """Mean cross-entropy over the chosen tokens of a global batch; the rejected text is not looked at."""

    forward = "chosen_only"
    forward_reason = "the objective has no rejected text"

    def __init__(self, training: Training) -> None:
        self._training = training

    def row(self, pair: PreferencePair) -> Row:
        """Tokens of prompt and chosen."""
        return text_row(self._training, pair.prompt, [pair.chosen], image=pair.images[0])

    def score(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> Logps:
        """`chosen` on the clean image."""
        images = [pair.images[0] for pair in pairs]
        return {"chosen": text_scores(model, self._training, rows, images).sum(dim=-1)}

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Cross-entropy; there is no reference."""
        del reference
        chosen_B = policy["chosen"]
        loss = chosen_nll(
            chosen_B, num_chosen_tokens_B=num_chosen_tokens_B, nll_reduction="token", batch=batch
        )
        return loss, {"logps/chosen": float(chosen_B.detach().double().sum())}
