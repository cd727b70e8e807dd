"""Choose the next token of every row, from the row's own randomness alone.

A row draws one uniform number a token, from a counter-based generator keyed by its seed. So a text
is a function of (request, policy), not of the batch, shard or attempt it was made in.
"""

from __future__ import annotations

import numpy as np
import torch

# Shape suffixes: B rows of the batch, V vocabulary


class RowRandomness:
    """The uniform numbers of one row: the n-th token gets the n-th number of its seed."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=seed))

    def next(self) -> float:
        """Return the number of the next token, in [0, 1)."""
        return self._generator.random()


def choose_tokens(
    logits_BV: torch.Tensor,
    *,
    temperature_B: torch.Tensor,
    top_p_B: torch.Tensor,
    uniform_B: torch.Tensor,
) -> torch.Tensor:
    """Choose one token a row by inverting the cumulative distribution.

    Args:
        logits_BV: Scores, any floating type.
        temperature_B: 0 = greedy.
        top_p_B: Share of the probability that may be drawn from; 1 = all of it.
        uniform_B: In [0, 1).

    Returns:
        Token ids (B,). With probabilities (.5, .3, .2), a uniform number of .6 gives token 1.
    """
    chosen_B = logits_BV.argmax(dim=-1)
    is_sampled_B = temperature_B > 0
    if not bool(is_sampled_B.any()):
        return chosen_B
    is_nucleus_B = is_sampled_B & (top_p_B < 1)
    for rows_B, draw in ((is_sampled_B & ~is_nucleus_B, _draw), (is_nucleus_B, _draw_nucleus)):
        if bool(rows_B.any()):
            scaled_BV = logits_BV[rows_B].double() / temperature_B[rows_B, None]
            probabilities_BV = scaled_BV.softmax(dim=-1)
            chosen_B[rows_B] = draw(probabilities_BV, top_p_B[rows_B], uniform_B[rows_B])
    return chosen_B


def _draw(
    probabilities_BV: torch.Tensor, _top_p_B: torch.Tensor, uniform_B: torch.Tensor
) -> torch.Tensor:
    cumulative_BV = probabilities_BV.cumsum(dim=-1)
    target_B = uniform_B * cumulative_BV[:, -1]
    chosen_B = (cumulative_BV <= target_B[:, None]).sum(dim=-1)
    return chosen_B.clamp(max=probabilities_BV.shape[-1] - 1)


def _draw_nucleus(
    probabilities_BV: torch.Tensor, top_p_B: torch.Tensor, uniform_B: torch.Tensor
) -> torch.Tensor:
    sorted_BV, order_BV = probabilities_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(dim=-1) - sorted_BV
    kept_BV = torch.where(before_BV < top_p_B[:, None], sorted_BV, 0.0)
    rank_B = _draw(kept_BV, top_p_B, uniform_B)
    return order_BV.gather(1, rank_B[:, None]).squeeze(1)
