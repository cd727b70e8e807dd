"""Attention over rows with a shared prefix, computed in the pieces that may see each other.

A dense mask makes a kernel work through all T x T pairs of places and keeps it from its fast paths.
Here the prompt and the first completion are one causal piece, every further completion another that looks
back at the prompt and itself, and padding is none: about half of the work, and the same numbers but for
the last bits. Registered with transformers as one more attention implementation, so that any family whose
attention takes its implementation from there has it; others use the dense mask that comes along.
"""

# The annotations of transformers are narrower than what it takes.
# pyright: reportArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

# Shape suffixes: B rows, H heads, G key heads, T tokens, D head size

NAME = "sdpa_split"
# Under this name the pieces travel through a model's forward to its attention.
KEYWORD = "row_pieces"
# What a family may ask of its attention that the pieces do not know.
_UNKNOWN = ("softcap", "position_bias", "s_aux", "sliding_window")


@dataclass
class RowPieces:
    """Lengths of the pieces of every row: prompt, then its completions.

    `is_used` turns true when an attention layer has gone by them: what a run reports.
    """

    lengths: Sequence[tuple[int, ...]]
    is_used: bool = False


def split_attention_of(model: PreTrainedModel) -> None:
    """Let the language model of `model` split its attention wherever it is given pieces."""
    config = model.get_decoder().config
    if config._attn_implementation == "sdpa":
        config._attn_implementation = NAME


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """As `sdpa_attention_forward` of transformers: (B, H, T, D) and (B, G, T, D) to (B, T, H, D)."""
    pieces: RowPieces | None = others.pop(KEYWORD, None)
    is_known = all(others.get(name) is None for name in _UNKNOWN)
    if pieces is None or not is_known or key.shape[2] != query.shape[2]:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
    pieces.is_used = True
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    attended = [
        _of_row(query[row, None], key[row, None], value[row, None], lengths, dropout, scaling)
        for row, lengths in enumerate(pieces.lengths)
    ]
    return torch.cat(attended).transpose(1, 2).contiguous(), None


def _of_row(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: tuple[int, ...],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """One row (1, H, T, D)."""
    attend = torch.nn.functional.scaled_dot_product_attention
    prompt, first, *others = lengths
    start = prompt + first
    parts = [
        attend(
            query[:, :, :start],
            key[:, :, :start],
            value[:, :, :start],
            is_causal=True,
            dropout_p=dropout,
            scale=scaling,
        )
    ]
    for length in others:
        own = slice(start, start + length)
        seen_key, seen_value = (
            torch.cat([one[:, :, :prompt], one[:, :, own]], dim=2) for one in (key, value)
        )
        parts.append(
            attend(
                query[:, :, own],
                seen_key,
                seen_value,
                attn_mask=causal_lower_right(length, prompt + length),
                dropout_p=dropout,
                scale=scaling,
            )
        )
        start += length
    padding = query.shape[2] - start
    if padding > 0:  # nobody looks at it
        parts.append(torch.zeros_like(query[:, :, start:]))
    return torch.cat(parts, dim=2)


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
