"""Losses of the two trainings as pure functions of log-probabilities.

Paper: STIC, arXiv:2405.19716, algorithm 1. Code it is checked against: STIC 993734e
stic/dpo_trainer.py:443-458, TRL 1.16 trainer/dpo_trainer.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

# Shape suffixes: B pairs of a micro-batch, T tokens, V vocabulary

NllReduction = Literal["sum", "token", "sequence"]


@dataclass(frozen=True)
class GlobalBatch:
    """What one optimizer step is over, however it is cut into micro-batches."""

    num_examples: int
    num_target_tokens: int


@dataclass(frozen=True)
class PairLogps:
    """Summed log-probabilities (B,) of the chosen and the rejected text."""

    chosen_B: torch.Tensor
    rejected_B: torch.Tensor


def token_logps(logits_TV: torch.Tensor, token_ids_T: torch.Tensor) -> torch.Tensor:
    """Log-probability (T,) of each token, in float32 whatever the logits are.

    Half precision would lose the small differences between policy and reference.
    """
    logits_TV = logits_TV.float()
    picked_T = logits_TV.gather(-1, token_ids_T.unsqueeze(-1)).squeeze(-1)
    return picked_T - logits_TV.logsumexp(dim=-1)


def alternative_logps(logits_TV: torch.Tensor, token_ids_T: torch.Tensor) -> torch.Tensor:
    """Log-probability (T,) of the likeliest token that is not the one at hand, in float32.

    The likeliest, or the second where the likeliest is the token itself. STIC 993734e
    stic/dpo_trainer.py:498-545 sums this where the rejected text's log-probability belongs: POVID's
    trainer before its repair of 2024-04-05, for another purpose.

    Example: logits (0, log 2, log 5), softmax (1/8, 2/8, 5/8): for token 2 it is log 2/8, else log 5/8.
    """
    logits_TV = logits_TV.float()
    best_T2 = logits_TV.topk(2, dim=-1)
    is_best_T = best_T2.indices[..., 0] == token_ids_T
    picked_T = torch.where(is_best_T, best_T2.values[..., 1], best_T2.values[..., 0])
    return picked_T - logits_TV.logsumexp(dim=-1)


def preference_loss(
    policy: PairLogps,
    reference: PairLogps,
    *,
    num_chosen_tokens_B: torch.Tensor,
    beta: float,
    chosen_nll_weight: float,
    nll_reduction: NllReduction,
    batch: GlobalBatch,
) -> torch.Tensor:
    """Share of this micro-batch in the loss of its global batch; shares add up.

    l(beta * ((pw - rw) - (pl - rl))) - weight * log p(chosen), with l(t) = log(1 + exp(-t)).

    `sum` weighs the summed log-probability (STIC: weight 1/1024), `sequence` its mean over the tokens
    of a text (LlamaFactory's `pref_ftx`), `token` the mean over all chosen tokens of the global
    batch (TRL's `sft`; TRL's own is over the micro-batch and so depends on how a batch is cut).

    Example: policy = reference = (-2, -3), beta 0.1, weight 1/1024 on the sum: log 2 + 2/1024.
    """
    margin_B = (policy.chosen_B - reference.chosen_B) - (policy.rejected_B - reference.rejected_B)
    dpo = -functional.logsigmoid(beta * margin_B).sum() / batch.num_examples
    return dpo + chosen_nll_weight * chosen_nll(
        policy.chosen_B,
        num_chosen_tokens_B=num_chosen_tokens_B,
        nll_reduction=nll_reduction,
        batch=batch,
    )


def chosen_nll(
    chosen_B: torch.Tensor,
    *,
    num_chosen_tokens_B: torch.Tensor,
    nll_reduction: NllReduction,
    batch: GlobalBatch,
) -> torch.Tensor:
    """Share of this micro-batch in -log p(chosen), by one of the three reductions of `preference_loss`.

    Example: sums -4 and -9 of 2 and 6 tokens: `sum` 6.5, `sequence` 1.75, `token` 13/8.
    """
    if nll_reduction == "sum":
        return -chosen_B.sum() / batch.num_examples
    if nll_reduction == "sequence":
        return -(chosen_B / num_chosen_tokens_B).sum() / batch.num_examples
    return -chosen_B.sum() / batch.num_target_tokens


def image_preference_loss(
    clean_B: torch.Tensor,
    contrast_B: torch.Tensor,
    *,
    beta: float,
    image_weight: float,
    anchor_weight: float,
    anchor: float,
    batch: GlobalBatch,
) -> torch.Tensor:
    """Share of this micro-batch in mDPO's two terms beside DPO (arXiv:2406.11839, eq. 4 and 5).

    image_weight * l(beta * (clean - contrast)) + anchor_weight * l(beta * clean - anchor), where
    `clean_B` and `contrast_B` (B,) are policy minus reference of the same chosen text, summed
    log-probabilities on the clean and on the corrupted image.

    Example: clean 2, contrast 0, beta 0.5, weights 1, anchor 0: 2 log(1 + exp(-1)).
    """
    conditional = -functional.logsigmoid(beta * (clean_B - contrast_B)).sum()
    anchored = -functional.logsigmoid(beta * clean_B - anchor).sum()
    return (image_weight * conditional + anchor_weight * anchored) / batch.num_examples


def povid_loss(
    chosen_B: torch.Tensor,
    rejected_B: torch.Tensor,
    noisy_B: torch.Tensor | None,
    *,
    beta: float,
    rejected_weight: float,
    noisy_weight: float,
    batch: GlobalBatch,
) -> torch.Tensor:
    """Share of this micro-batch in POVID's loss (arXiv:2402.11411).

    rejected_weight * l(beta * (chosen - rejected)) + noisy_weight * l(beta * (chosen - noisy)), all (B,)
    policy minus reference; `noisy_B` None = without the second term.

    Example: chosen 2, rejected 0, noisy -2, beta 0.5, weights 0.5: 0.5 log(1 + exp(-1)) + 0.5 log(1 + exp(-2)).
    """
    total = rejected_weight * -functional.logsigmoid(beta * (chosen_B - rejected_B)).sum()
    if noisy_B is not None:
        total = total + noisy_weight * -functional.logsigmoid(beta * (chosen_B - noisy_B)).sum()
    return total / batch.num_examples


@torch.no_grad()
def preference_metrics(policy: PairLogps, reference: PairLogps, *, beta: float) -> dict[str, float]:
    """Sums over the micro-batch of TRL's metrics; divide by the pairs of the global batch."""
    rewards_chosen_B = beta * (policy.chosen_B - reference.chosen_B)
    rewards_rejected_B = beta * (policy.rejected_B - reference.rejected_B)
    per_pair = {
        "rewards/chosen": rewards_chosen_B,
        "rewards/rejected": rewards_rejected_B,
        "rewards/margins": rewards_chosen_B - rewards_rejected_B,
        "rewards/accuracies": (rewards_chosen_B > rewards_rejected_B).float(),
        "logps/chosen": policy.chosen_B,
        "logps/rejected": policy.rejected_B,
    }
    return {name: float(value_B.double().sum()) for name, value_B in per_pair.items()}


def infused_share(
    logps_BN: torch.Tensor, is_learnt_BN: torch.Tensor, *, batch: GlobalBatch
) -> torch.Tensor:
    """Share in the loss of examples that are learnt beside pairs: mean cross-entropy of each, summed.

    Divided by the pairs of the global batch, so that an example and a pair weigh alike.

    Example: means 2 and 1 over 2 and 4 tokens, 4 pairs: 3/4.
    """
    sums_B = logps_BN.masked_fill(~is_learnt_BN, 0.0).sum(dim=-1)
    return -(sums_B / is_learnt_BN.sum(dim=-1)).sum() / batch.num_examples


def answer_loss(logps_T: torch.Tensor, *, batch: GlobalBatch) -> torch.Tensor:
    """Share of this micro-batch in the mean cross-entropy over all answer tokens of a global batch."""
    return -logps_T.sum() / batch.num_target_tokens
