"""The losses on numbers small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from sticflow_ml.losses import (
    GlobalBatch,
    NllReduction,
    PairLogps,
    answer_loss,
    image_preference_loss,
    povid_loss,
    preference_loss,
    preference_metrics,
    token_logps,
)

# Two pairs: summed log-probabilities, and tokens of the chosen texts.
POLICY = {"chosen": [-4.0, -9.0], "rejected": [-7.0, -5.0]}
REFERENCE = {"chosen": [-5.0, -8.0], "rejected": [-6.0, -6.0]}
NUM_CHOSEN_TOKENS = [2, 6]
BETA, WEIGHT = 0.5, 0.25


def _logps(sums: dict[str, list[float]], places: slice = slice(None)) -> PairLogps:
    return PairLogps(
        torch.tensor(sums["chosen"][places], dtype=torch.float64),
        torch.tensor(sums["rejected"][places], dtype=torch.float64),
    )


def _loss(reduction: NllReduction, weight: float, places: slice = slice(None)) -> float:
    tokens = torch.tensor(NUM_CHOSEN_TOKENS[places])
    batch = GlobalBatch(num_examples=2, num_target_tokens=8)
    loss = preference_loss(
        _logps(POLICY, places),
        _logps(REFERENCE, places),
        num_chosen_tokens_B=tokens,
        beta=BETA,
        chosen_nll_weight=weight,
        nll_reduction=reduction,
        batch=batch,
    )
    return float(loss)


def _dpo_by_hand() -> float:
    # Margins: (-4 + 5) - (-7 + 6) = 2 and (-9 + 8) - (-5 + 6) = -2
    return (math.log(1 + math.exp(-BETA * 2)) + math.log(1 + math.exp(BETA * 2))) / 2


@pytest.mark.parametrize(
    ("reduction", "likelihood"),
    [
        ("sum", (4 + 9) / 2),
        ("sequence", (4 / 2 + 9 / 6) / 2),
        ("token", (4 + 9) / (2 + 6)),
    ],
)
def test_the_loss_is_dpo_plus_the_weighted_likelihood(
    reduction: NllReduction, likelihood: float
) -> None:
    assert _loss(reduction, WEIGHT) == pytest.approx(
        _dpo_by_hand() + WEIGHT * likelihood, rel=1e-12
    )


@pytest.mark.parametrize("reduction", ["sum", "sequence", "token"])
def test_weight_zero_is_plain_dpo(reduction: NllReduction) -> None:
    # trl issue 1868, trl pull requests 1705 and 1904: alpha once weighed the other term
    assert _loss(reduction, 0.0) == pytest.approx(_dpo_by_hand(), rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "sequence", "token"])
def test_shares_of_micro_batches_add_up_to_the_loss_of_the_batch(reduction: NllReduction) -> None:
    # trl issue 5375, unsloth pull request 8261: a mean over each micro-batch depends on how the batch is cut
    shares = [_loss(reduction, WEIGHT, slice(place, place + 1)) for place in (0, 1)]

    assert sum(shares) == pytest.approx(_loss(reduction, WEIGHT), rel=1e-12)


def test_equal_policies_lose_log_2_and_earn_nothing() -> None:
    same = _logps(REFERENCE)
    loss = preference_loss(
        same,
        same,
        num_chosen_tokens_B=torch.tensor(NUM_CHOSEN_TOKENS),
        beta=BETA,
        chosen_nll_weight=0.0,
        nll_reduction="sum",
        batch=GlobalBatch(num_examples=2, num_target_tokens=8),
    )

    assert float(loss) == pytest.approx(math.log(2), rel=1e-12)
    assert preference_metrics(same, same, beta=BETA)["rewards/margins"] == 0


def test_the_gradient_pushes_the_chosen_up_and_the_rejected_down() -> None:
    policy = _logps(POLICY)
    for logps in (policy.chosen_B, policy.rejected_B):
        logps.requires_grad_()
    preference_loss(
        policy,
        _logps(REFERENCE),
        num_chosen_tokens_B=torch.tensor(NUM_CHOSEN_TOKENS),
        beta=BETA,
        chosen_nll_weight=WEIGHT,
        nll_reduction="sum",
        batch=GlobalBatch(num_examples=2, num_target_tokens=8),
    ).backward()

    # d/dx log(1 + exp(-x)) = -1 / (1 + exp(x)); the first margin is 2, the second -2.
    pull = [BETA / (1 + math.exp(BETA * 2)) / 2, BETA / (1 + math.exp(-BETA * 2)) / 2]
    assert policy.chosen_B.grad is not None
    assert policy.rejected_B.grad is not None
    assert policy.chosen_B.grad.tolist() == pytest.approx([-one - WEIGHT / 2 for one in pull])
    assert policy.rejected_B.grad.tolist() == pytest.approx(pull)


def test_metrics_are_the_rewards_of_the_pairs() -> None:
    sums = preference_metrics(_logps(POLICY), _logps(REFERENCE), beta=BETA)

    assert sums == {
        "rewards/chosen": 0.5 * (1 - 1),
        "rewards/rejected": 0.5 * (-1 + 1),
        "rewards/margins": 0.5 * (2 - 2),
        "rewards/accuracies": 1.0,
        "logps/chosen": -13.0,
        "logps/rejected": -12.0,
    }


def test_the_image_terms_of_mdpo_are_those_of_its_equations() -> None:
    # Policy minus reference of the chosen text: clean 2 and -1, corrupted 0 and 1; beta 0.5, delta 0.2.
    loss = image_preference_loss(
        torch.tensor([2.0, -1.0], dtype=torch.float64),
        torch.tensor([0.0, 1.0], dtype=torch.float64),
        beta=0.5,
        image_weight=2.0,
        anchor_weight=3.0,
        anchor=0.2,
        batch=GlobalBatch(num_examples=2, num_target_tokens=8),
    )

    conditional = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))
    anchored = math.log(1 + math.exp(-0.8)) + math.log(1 + math.exp(0.7))
    assert float(loss) == pytest.approx((2 * conditional + 3 * anchored) / 2, rel=1e-12)


def test_the_loss_of_povid_is_that_of_its_equation() -> None:
    # Policy minus reference: chosen 2 and -1, rejected 0 and 1, noisy -2 and 3; beta 0.5.
    loss = povid_loss(
        torch.tensor([2.0, -1.0], dtype=torch.float64),
        torch.tensor([0.0, 1.0], dtype=torch.float64),
        torch.tensor([-2.0, 3.0], dtype=torch.float64),
        beta=0.5,
        rejected_weight=0.5,
        noisy_weight=0.25,
        batch=GlobalBatch(num_examples=2, num_target_tokens=8),
    )

    rejected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))
    noisy = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))
    assert float(loss) == pytest.approx((0.5 * rejected + 0.25 * noisy) / 2, rel=1e-12)


def test_the_loss_of_spin_is_the_logistic_loss_against_its_opponent() -> None:
    # arXiv:2401.01335 with the logistic loss, l(t) = log(1 + exp(-t)), lambda 5 as in its last iteration:
    # target answers gain 0.2 and lose 0.1 against the opponent, its own lose 0.2 and gain 0.3.
    loss = preference_loss(
        PairLogps(torch.tensor([-3.8, -2.1]), torch.tensor([-1.2, -0.7])),
        PairLogps(torch.tensor([-4.0, -2.0]), torch.tensor([-1.0, -1.0])),
        num_chosen_tokens_B=torch.tensor([4, 2]),
        beta=5.0,
        chosen_nll_weight=0.0,
        nll_reduction="sum",
        batch=GlobalBatch(num_examples=2, num_target_tokens=6),
    )

    assert float(loss) == pytest.approx(
        (math.log(1 + math.exp(-5 * 0.4)) + math.log(1 + math.exp(5 * 0.4))) / 2, rel=1e-5
    )


def test_the_loss_of_rpo_adds_the_mean_log_probability_of_a_right_answer() -> None:
    # arXiv:2404.19733, eq. 1 and 2: alpha 1, beta 0.1; the right answers have 4 and 2 tokens.
    loss = preference_loss(
        PairLogps(torch.tensor([-3.0, -2.0]), torch.tensor([-5.0, -6.0])),
        PairLogps(torch.tensor([-4.0, -2.0]), torch.tensor([-4.0, -6.0])),
        num_chosen_tokens_B=torch.tensor([4, 2]),
        beta=0.1,
        chosen_nll_weight=1.0,
        nll_reduction="sequence",
        batch=GlobalBatch(num_examples=2, num_target_tokens=6),
    )

    dpo = math.log(1 + math.exp(-0.1 * 2)) + math.log(2)
    nll = 3 / 4 + 2 / 2
    assert float(loss) == pytest.approx((dpo + nll) / 2, rel=1e-6)


def test_the_answer_loss_is_the_mean_cross_entropy_of_the_answer_tokens() -> None:
    logits_TV = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])
    logps_T = token_logps(logits_TV, torch.tensor([1, 0]))

    loss = answer_loss(logps_T, batch=GlobalBatch(num_examples=1, num_target_tokens=2))

    assert float(loss) == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2, rel=1e-6)


def test_log_probabilities_of_half_precision_logits_are_float32() -> None:
    # LLM-Dojo issue 23
    logits_TV = torch.randn(3, 11, generator=torch.Generator().manual_seed(0)).bfloat16()
    picks_T = torch.tensor([0, 4, 10])

    logps_T = token_logps(logits_TV, picks_T)

    expected_T = torch.log_softmax(logits_TV.double(), -1)[range(3), picks_T]
    assert logps_T.dtype == torch.float32
    assert logps_T.double().tolist() == pytest.approx(expected_T.tolist(), abs=1e-6)
