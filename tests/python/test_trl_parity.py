"""Loss, log-probabilities and every LoRA gradient are those of TRL's `DPOTrainer`.

TRL is no dependency of ours, so its answers are stored: `oracles/trl_dpo.json` was written by
`bench/python/dpo_step/oracle.py`, which runs its collator, forward passes and loss unchanged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from parity_case import (
    BETA,
    CHOSEN_NLL_WEIGHT,
    FAMILY,
    LORA_SETTINGS,
    NUM_PAIRS,
    gradient_facts,
    set_adapter,
)
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.forward import Sharing
from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.training import Training

ORACLE = json.loads((Path(__file__).parent / "oracles" / "trl_dpo.json").read_text())


@pytest.fixture(params=[True, False], ids=["one shared pass", "two passes"])
def step(
    request: pytest.FixtureRequest, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> dict[str, Any]:
    """What one step of ours computes: loss, mean log-probabilities, gradients."""
    training = open_training(
        preference_request(
            checkpoints[FAMILY], pictures, tmp_path, num_pairs=NUM_PAIRS, lora=LORA_SETTINGS
        ),
        Messages(),
    )
    set_adapter(training.policy)
    training.policy.train()
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    assert scorer.sharing.is_shared
    if not request.param:
        scorer.sharing = Sharing(False, "asked for by this test")
    return _step(training, scorer, pairs)


def _step(training: Training, scorer: PairScorer, pairs: list[Any]) -> dict[str, Any]:
    rows = [scorer.row(pair) for pair in pairs]
    with torch.no_grad(), training.policy.disable_adapter():
        reference: PairLogps = scorer.logps(training.policy, pairs, rows)
    policy = scorer.logps(training.policy, pairs, rows)
    tokens = [len(row.completions[0]) for row in rows]
    loss = preference_loss(
        policy,
        reference,
        num_chosen_tokens_B=torch.tensor(tokens),
        beta=BETA,
        chosen_nll_weight=CHOSEN_NLL_WEIGHT,
        nll_reduction="token",  # TRL's definition
        batch=GlobalBatch(num_examples=NUM_PAIRS, num_target_tokens=sum(tokens)),
    )
    loss.backward()
    return {
        "loss": float(loss.detach()),
        "logps/chosen": float(policy.chosen_B.detach().mean()),
        "logps/rejected": float(policy.rejected_B.detach().mean()),
        "gradients": gradient_facts(training.policy),
    }


def test_the_loss_is_that_of_trl(step: dict[str, Any]) -> None:
    assert step["loss"] == pytest.approx(ORACLE["loss"], abs=1e-5)


@pytest.mark.parametrize("name", ["logps/chosen", "logps/rejected"])
def test_log_probabilities_are_those_of_trl(step: dict[str, Any], name: str) -> None:
    assert step[name] == pytest.approx(ORACLE[name], rel=1e-6)


def test_every_gradient_is_that_of_trl(step: dict[str, Any]) -> None:
    assert step["gradients"].keys() == ORACLE["gradients"].keys()
    for name, expected in ORACLE["gradients"].items():
        tolerance = 1e-4 * expected["norm"]
        assert step["gradients"][name] == pytest.approx(expected, abs=tolerance), name


def test_the_oracle_tells_policy_from_reference() -> None:
    """At policy = reference the DPO term would be log 2 for any code."""
    assert all(one["norm"] > 1e-4 for one in ORACLE["gradients"].values())
    assert {name.split(".")[-2] for name in ORACLE["gradients"]} == {"default"}
