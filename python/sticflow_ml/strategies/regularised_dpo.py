"""Regularised DPO of chosen against rejected text on the clean image (STIC, arXiv:2405.19716)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import PreferenceLoss, PreferencePair
from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss, preference_metrics
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training


class RegularisedDpo:
    """`stic-paper`; with weight 0 of the likelihood, `dpo`."""

    def __init__(self, spec: PreferenceLoss, training: Training, first: PreferencePair) -> None:
        self._spec = spec
        self._scorer = PairScorer(training, first)
        sharing = self._scorer.sharing
        self.forward = "shared_prefix" if sharing.is_shared else "two_passes"
        self.forward_reason = sharing.reason

    def row(self, pair: PreferencePair) -> Row:
        """Tokens of prompt, chosen and rejected."""
        return self._scorer.row(pair)

    def score(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> Logps:
        """`chosen` and `rejected` on the clean image."""
        logps = self._scorer.logps(model, pairs, rows)
        return {"chosen": logps.chosen_B, "rejected": logps.rejected_B}

    def loss(
        self,
        policy: Logps,
        reference: Logps,
        *,
        num_chosen_tokens_B: torch.Tensor,
        batch: GlobalBatch,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """DPO with the likelihood term."""
        loss, metrics = regularised_dpo(
            self._spec, policy, reference, num_chosen_tokens_B=num_chosen_tokens_B, batch=batch
        )
        # Of every pair, so that its mean over a step is 1 or 0.
        num_pairs = len(policy["chosen"])
        return loss, {**metrics, "shares_prefix": num_pairs * float(self._scorer.sharing.is_shared)}


def regularised_dpo(
    spec: PreferenceLoss,
    policy: Logps,
    reference: Logps,
    *,
    num_chosen_tokens_B: torch.Tensor,
    batch: GlobalBatch,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss and TRL's metrics of `chosen` against `rejected`, whatever these were scored by."""
    policy_logps = PairLogps(chosen_B=policy["chosen"], rejected_B=policy["rejected"])
    reference_logps = PairLogps(chosen_B=reference["chosen"], rejected_B=reference["rejected"])
    loss = preference_loss(
        policy_logps,
        reference_logps,
        num_chosen_tokens_B=num_chosen_tokens_B,
        beta=spec.beta,
        chosen_nll_weight=spec.chosen_nll_weight,
        nll_reduction=spec.nll_reduction,
        batch=batch,
    )
    return loss, preference_metrics(policy_logps, reference_logps, beta=spec.beta)
