"""mDPO (arXiv:2406.11839): DPO, an image-conditional term and an anchor."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import MdpoObjective, PreferenceLoss, PreferencePair
from sticflow_ml.losses import GlobalBatch, image_preference_loss
from sticflow_ml.pair_scorer import text_scores
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.contrast import DpoWithContrast
from sticflow_ml.strategies.regularised_dpo import RegularisedDpo
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training


class Mdpo(DpoWithContrast):
    """`chosen` and `rejected` as in DPO, and `contrast`: the chosen text on the corrupted image."""

    def __init__(
        self,
        objective: MdpoObjective,
        spec: PreferenceLoss,
        training: Training,
        first: PreferencePair,
    ) -> None:
        super().__init__(RegularisedDpo(spec, training, first), training)
        self._objective = objective
        self._spec = spec

    def score(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> Logps:
        """One pass more than DPO."""
        contrast_rows, images = self._contrast_rows(pairs)
        contrast_BN = text_scores(model, self._training, contrast_rows, images)
        return {**self._dpo.score(model, pairs, rows), "contrast": contrast_BN.sum(dim=-1)}

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """DPO with the likelihood term, plus the two terms about the image."""
        dpo, metrics = self._dpo.loss(
            policy, reference, num_chosen_tokens_B=num_chosen_tokens_B, batch=batch
        )
        clean_B, contrast_B = (policy[name] - reference[name] for name in ("chosen", "contrast"))
        about_image = image_preference_loss(
            clean_B,
            contrast_B,
            beta=self._spec.beta,
            image_weight=self._objective.image_weight,
            anchor_weight=self._objective.anchor_weight,
            anchor=self._objective.anchor,
            batch=batch,
        )
        margin_B = (self._spec.beta * (clean_B - contrast_B)).detach()
        return dpo + about_image, {
            **metrics,
            "rewards/image_margins": float(margin_B.double().sum()),
            "rewards/image_accuracies": float((margin_B > 0).double().sum()),
        }
