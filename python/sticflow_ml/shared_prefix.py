"""Lay tokens out in tensors: a prompt once, its completions behind it, each blind to the others.

A row is `[prompt + image | completion 1 | completion 2 | ... | padding]`. Positions restart for
every completion where the prompt ends, and the mask lets a completion see the prompt and itself
only. So one forward pass over `[prompt | chosen | rejected]` gives the same log-probabilities as
two passes, without a second prompt and image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

# Shape suffixes: A position axes, B rows, C completions a row, N scored tokens, T tokens

PROMPT, PADDING = 0, -1


@dataclass(frozen=True)
class Row:
    """One row before padding.

    Args:
        prompt_ids: With the run of image tokens in place.
        completions: Token ids of what follows, with stop tokens.
        prompt_positions_AT: Positions of the prompt, as the family counts them.
        is_trained: For each completion, which of its tokens are scored; None = all.
    """

    prompt_ids: list[int]
    completions: list[list[int]]
    prompt_positions_AT: torch.Tensor
    is_trained: list[list[bool]] | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens of the longest single conversation in the row: what a model limit is about."""
        return len(self.prompt_ids) + max(len(completion) for completion in self.completions)

    @property
    def num_row_tokens(self) -> int:
        """Tokens of the whole row: what its memory grows with."""
        return len(self.prompt_ids) + sum(len(completion) for completion in self.completions)


@dataclass(frozen=True)
class Rows:
    """Tensors of one forward pass.

    `predict_BN` are the places whose logits score `targets_BN`; `completion_BN` says which
    completion a scored token belongs to, -1 where the place is padding. `lengths` of a row are those of
    its prompt and of its completions.
    """

    input_ids_BT: torch.Tensor
    positions_ABT: torch.Tensor
    mask: torch.Tensor
    predict_BN: torch.Tensor
    targets_BN: torch.Tensor
    completion_BN: torch.Tensor
    lengths: list[tuple[int, ...]]

    @property
    def has_several_completions(self) -> bool:
        """True where completions share a row, and so may not see each other."""
        return any(len(of_row) > 2 for of_row in self.lengths)

    def to(self, device: torch.device) -> Rows:
        """Copy to a device."""
        tensors = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, torch.Tensor)
        }
        return replace(self, **tensors)


def lay_out(rows: list[Row], *, pad_token_id: int) -> Rows:
    """Pad rows on the right and build mask, positions and scored places.

    Rows of one completion get a mask (B, T) of ones and zeros, as every attention backend takes
    it; rows of several get a boolean mask (B, 1, T, T).

    With prompt (a b) and completions (c d) and (e): tokens a b c d e, positions 0 1 2 3 2, scored
    places 1 2 1 for the targets c d e; `e` sees a, b and e.
    """
    segments_BT = _padded([_segments(row) for row in rows], PADDING)
    ids_BT = _padded(
        [row.prompt_ids + [token for one in row.completions for token in one] for row in rows],
        pad_token_id,
    )
    positions = [positions_of(row) for row in rows]
    length = ids_BT.shape[1]
    positions_ABT = torch.stack(
        [
            torch.nn.functional.pad(positions_AT, (0, length - positions_AT.shape[1]))
            for positions_AT in positions
        ],
        dim=1,
    )
    scored = [scored_of(row) for row in rows]
    has_one_completion = all(len(row.completions) == 1 for row in rows)
    return Rows(
        input_ids_BT=ids_BT,
        positions_ABT=positions_ABT,
        mask=(segments_BT != PADDING).long() if has_one_completion else tree_mask(segments_BT),
        predict_BN=_padded([[place for place, _, _ in row] for row in scored], 0),
        targets_BN=_padded([[target for _, target, _ in row] for row in scored], 0),
        completion_BN=_padded([[completion for _, _, completion in row] for row in scored], -1),
        lengths=[(len(row.prompt_ids), *map(len, row.completions)) for row in rows],
    )


def tree_mask(segments_BT: torch.Tensor) -> torch.Tensor:
    """Who sees whom: (B, 1, query T, key T), true = visible.

    A padded place sees itself, because softmax over nothing is NaN.
    """
    query_BT1, key_B1T = segments_BT.unsqueeze(2), segments_BT.unsqueeze(1)
    length = segments_BT.shape[1]
    is_causal_TT = torch.ones(length, length, dtype=torch.bool).tril()
    is_related_BTT = (key_B1T == PROMPT) | (key_B1T == query_BT1)
    sees_BTT = is_causal_TT & is_related_BTT & (key_B1T != PADDING)
    return (sees_BTT | torch.eye(length, dtype=torch.bool)).unsqueeze(1)


def _segments(row: Row) -> list[int]:
    return [PROMPT] * len(row.prompt_ids) + [
        number for number, completion in enumerate(row.completions, start=1) for _ in completion
    ]


def positions_of(row: Row) -> torch.Tensor:
    """Positions (A, T) of a row; they restart behind the prompt for every completion."""
    first = int(row.prompt_positions_AT.max()) + 1
    num_axes = row.prompt_positions_AT.shape[0]
    restarted = [
        torch.arange(first, first + len(completion)).expand(num_axes, -1)
        for completion in row.completions
    ]
    return torch.cat([row.prompt_positions_AT, *restarted], dim=1)


def scored_of(row: Row) -> list[tuple[int, int, int]]:
    """(Place that predicts, target token, completion) of every trained token."""
    scored: list[tuple[int, int, int]] = []
    start = len(row.prompt_ids)
    for number, completion in enumerate(row.completions):
        for offset, target in enumerate(completion):
            if row.is_trained is None or row.is_trained[number][offset]:
                # The first token of every completion is predicted by the end of the prompt.
                place = len(row.prompt_ids) - 1 if offset == 0 else start + offset - 1
                scored.append((place, target, number))
        start += len(completion)
    return scored


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)
