"""What the authors' trainer computes (STIC 993734e stic/dpo_trainer.py), each defect by a switch.

For audits only. The texts run apart, as they do there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import PreferenceLoss, PreferencePair, SticReleasedObjective
from sticflow_ml.losses import GlobalBatch, alternative_logps, token_logps
from sticflow_ml.pair_scorer import CHOSEN, REJECTED, side, text_row, text_scores
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.regularised_dpo import regularised_dpo
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training


class SticReleased:
    """Regularised DPO whose rejected term and image are those of the released code."""

    forward = "two_passes"
    forward_reason = "as the released code"

    def __init__(
        self, objective: SticReleasedObjective, spec: PreferenceLoss, training: Training
    ) -> None:
        self._objective = objective
        self._spec = spec
        self._training = training

    def row(self, pair: PreferencePair) -> Row:
        """Tokens of prompt, chosen and rejected; without image where records had none (line 227)."""
        image = pair.images[0] if self._objective.training_image == "clean" else None
        return text_row(self._training, pair.prompt, [pair.chosen, pair.rejected], image=image)

    def score(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> Logps:
        """`chosen`, and as `rejected` the text or the model's own alternatives to it.

        Policy and reference each pick their own alternatives (dpo_trainer.py:618-623).
        """
        has_image = self._objective.training_image == "clean"
        images = [pair.images[0] for pair in pairs] if has_image else []
        is_official = self._objective.rejected_logps == "alternatives"
        picks = {CHOSEN: token_logps, REJECTED: alternative_logps if is_official else token_logps}
        chosen_B, rejected_B = (
            text_scores(model, self._training, side(rows, number), images, pick=pick).sum(dim=-1)
            for number, pick in picks.items()
        )
        return {"chosen": chosen_B, "rejected": rejected_B}

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Regularised DPO of what was scored (dpo_trainer.py:443-458)."""
        return regularised_dpo(
            self._spec, policy, reference, num_chosen_tokens_B=num_chosen_tokens_B, batch=batch
        )
