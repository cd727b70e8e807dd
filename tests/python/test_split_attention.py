"""Attention in pieces gives what the dense mask over a row with a shared prefix gives, and its gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import FAMILIES
from training_parts import Messages, open_scorer, open_training, preference_request
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training

NUM_PAIRS = 4
# Sums of a softmax run in another order; float32.
TOLERANCE = 2e-5


def _gradients(
    training: Training, scorer: PairScorer, pairs: list, attention: str
) -> dict[str, torch.Tensor]:
    """Gradients of every LoRA weight for the pairs as one micro-batch."""
    training.loaded.model.get_decoder().config._attn_implementation = attention
    training.policy.zero_grad()
    rows = [scorer.row(pair) for pair in pairs]
    policy = scorer.logps(training.policy, pairs, rows)
    tokens = [len(row.completions[0]) for row in rows]
    loss = preference_loss(
        policy,
        PairLogps(chosen_B=torch.zeros(NUM_PAIRS), rejected_B=torch.zeros(NUM_PAIRS)),
        num_chosen_tokens_B=torch.tensor(tokens),
        beta=0.1,
        chosen_nll_weight=0.5,
        nll_reduction="token",
        batch=GlobalBatch(num_examples=NUM_PAIRS, num_target_tokens=sum(tokens)),
    )
    loss.backward()
    return {
        name: weight.grad.clone()
        for name, weight in training.policy.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("family", list(FAMILIES))
def test_its_gradients_are_those_of_the_dense_mask(
    family: str, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    request = preference_request(checkpoints[family], pictures, tmp_path, num_pairs=NUM_PAIRS)
    training = open_training(request, Messages())
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    training.policy.eval()

    split = _gradients(training, scorer, pairs, "sdpa_split")
    dense = _gradients(training, scorer, pairs, "sdpa")

    # Rows of several lengths: the shorter ones are padded.
    assert len({scorer.row(pair).num_row_tokens for pair in pairs}) > 1
    assert training.loaded.attention_seen == {"split", "dense"}
    assert split.keys() == dense.keys()
    assert any(float(gradient.abs().max()) > 0 for gradient in dense.values())
    for name, gradient in split.items():
        assert float((gradient - dense[name]).abs().max()) < TOLERANCE, name


def test_a_family_whose_attention_knows_no_pieces_goes_by_the_mask(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    request = preference_request(checkpoints["llava"], pictures, tmp_path, num_pairs=NUM_PAIRS)
    training = open_training(request, Messages())
    # The library's own function under a name of its own: what a family with another would look like.
    AttentionInterface.register("another", sdpa_attention_forward)
    AttentionMaskInterface.register("another", sdpa_mask)
    training.loaded.model.get_decoder().config._attn_implementation = "another"

    scorer, _ = open_scorer(training, NUM_PAIRS)

    assert scorer.sharing.is_shared
    assert training.loaded.attention_seen == {"dense"}


def test_pieces_of_a_row_are_its_prompt_and_its_completions() -> None:
    rows = [
        Row([1, 2, 3], [[4, 5], [6]], torch.arange(3).unsqueeze(0)),
        Row([1, 2], [[4], [5]], torch.arange(2).unsqueeze(0)),
    ]

    assert lay_out(rows, pad_token_id=0).lengths == [(3, 2, 1), (2, 1, 1)]
