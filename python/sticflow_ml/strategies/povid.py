"""POVID (arXiv:2402.11411; YiyangZhou/POVID tool/dpo_trainer_inherent.py:577-689): hallucinated texts, and noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import PovidObjective, PreferenceLoss, PreferencePair
from sticflow_ml.losses import GlobalBatch, povid_loss, token_logps
from sticflow_ml.pair_scorer import CHOSEN, side, text_scores
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.contrast import DpoWithContrast
from sticflow_ml.strategies.regularised_dpo import RegularisedDpo
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training


class Povid(DpoWithContrast):
    """`chosen` and `rejected` as in DPO, and `noisy`: what the noisy image would say, on the clean one."""

    def __init__(
        self,
        objective: PovidObjective,
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
        """Two passes more than DPO; without the weight of `noisy`, none.

        At each place of the chosen text, `noisy` is the clean image's log-probability of the token that
        the same model finds likeliest with the noisy image. Policy and reference pick their own.
        """
        logps = self._dpo.score(model, pairs, rows)
        if self._objective.noisy_weight == 0:
            return logps
        noisy_ids_BN = self._noisy_tokens(model, pairs)
        clean_images = [pair.images[0] for pair in pairs]
        noisy_BN = text_scores(
            model,
            self._training,
            side(rows, CHOSEN),
            clean_images,
            pick=lambda logits_BNV, _: token_logps(logits_BNV, noisy_ids_BN),
        )
        return {**logps, "noisy": noisy_BN.sum(dim=-1)}

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The two weighted terms; metrics of DPO, and of the noisy image."""
        _, metrics = self._dpo.loss(
            policy, reference, num_chosen_tokens_B=num_chosen_tokens_B, batch=batch
        )
        ratios = {name: policy[name] - reference[name] for name in policy}
        loss = povid_loss(
            ratios["chosen"],
            ratios["rejected"],
            ratios.get("noisy"),
            beta=self._spec.beta,
            rejected_weight=self._objective.rejected_weight,
            noisy_weight=self._objective.noisy_weight,
            batch=batch,
        )
        if "noisy" not in ratios:
            return loss, metrics
        margin_B = (self._spec.beta * (ratios["chosen"] - ratios["noisy"])).detach()
        return loss, {**metrics, "rewards/noisy_margins": float(margin_B.double().sum())}

    @torch.no_grad()
    def _noisy_tokens(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair]
    ) -> torch.Tensor:
        """Likeliest tokens (B, N) with the noisy image, the chosen text being given."""
        rows, images = self._contrast_rows(pairs)
        return text_scores(
            model, self._training, rows, images, pick=lambda logits_BNV, _: logits_BNV.argmax(-1)
        )
