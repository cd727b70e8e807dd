"""Pack many short exercises that share an image or a text into one row, each blind to the others.

A row is a tree of segments. A token sees its own segment up to itself and the segments on the way to the root, at the positions it
would have if that path were the whole text; so one forward pass teaches what many separate texts would (tested to 1e-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

# B rows, T tokens, S segments, C binding categories (position, size, color, shape)
IGNORED = -100
NUM_CATEGORIES = 4
ROOT_PARENT = -1


@dataclass
class Segment:
    """A piece of a row.

    `targets[i]` says that token i is to be predicted from the token before it in the same segment, so the first is never a target.
    `bindings[i]` holds the four labels of token i, or `IGNORED`.
    """

    tokens: list[int]
    targets: list[bool]
    bindings: list[tuple[int, int, int, int]]
    parent: int = ROOT_PARENT
    weight: float = 1.0


@dataclass
class Row:
    """Segments in an order in which parents come first; `image` indexes the batch's images where the root shows one."""

    segments: list[Segment] = field(default_factory=list)
    image: int | None = None

    def add(self, segment: Segment) -> int:
        """Append a segment and return its number, for its children's `parent`."""
        self.segments.append(segment)
        return len(self.segments) - 1


@dataclass(frozen=True)
class PackedBatch:
    """Tensors of a batch of rows; `targets_N` are the tokens to predict, from the flat position before each."""

    tokens_BT: torch.Tensor
    positions_BT: torch.Tensor
    visible_B1TT: torch.Tensor
    bindings_BTC: torch.Tensor
    predictors_N: torch.Tensor
    targets_N: torch.Tensor
    weights_N: torch.Tensor
    images_B: list[int | None]


def pack(rows: Sequence[Row], *, pad_token: int) -> PackedBatch:
    """Turn rows into tensors, padded on the right."""
    width = max(sum(len(segment.tokens) for segment in row.segments) for row in rows)
    tokens_BT = torch.full((len(rows), width), pad_token)
    positions_BT = torch.zeros(len(rows), width, dtype=torch.long)
    visible_B1TT = torch.zeros(len(rows), 1, width, width, dtype=torch.bool)
    bindings_BTC = torch.full((len(rows), width, NUM_CATEGORIES), IGNORED)
    predictors: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    for number, row in enumerate(rows):
        flat = [token for segment in row.segments for token in segment.tokens]
        tokens_BT[number, : len(flat)] = torch.tensor(flat)
        bindings_BTC[number, : len(flat)] = torch.tensor(
            [labels for segment in row.segments for labels in segment.bindings]
        )
        positions, visible_TT = _places(row)
        positions_BT[number, : len(flat)] = positions
        visible_B1TT[number, 0, : len(flat), : len(flat)] = visible_TT
        start = number * width
        for segment in row.segments:
            for offset, wanted in enumerate(segment.targets):
                if wanted:
                    predictors.append(start + offset - 1)
                    targets.append(segment.tokens[offset])
                    weights.append(segment.weight)
            start += len(segment.tokens)
    # Padding sees itself: a row of the mask without any True is NaN in softmax.
    visible_B1TT |= torch.eye(width, dtype=torch.bool)
    return PackedBatch(
        tokens_BT=tokens_BT,
        positions_BT=positions_BT,
        visible_B1TT=visible_B1TT,
        bindings_BTC=bindings_BTC,
        predictors_N=torch.tensor(predictors),
        targets_N=torch.tensor(targets),
        weights_N=torch.tensor(weights),
        images_B=[row.image for row in rows],
    )


def _places(row: Row) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each token's position on its path from the root, and which tokens it sees."""
    ancestors_SS = torch.eye(len(row.segments), dtype=torch.bool)
    ends: list[int] = []
    positions: list[int] = []
    for number, segment in enumerate(row.segments):
        begin = 0
        if segment.parent != ROOT_PARENT:
            ancestors_SS[number] |= ancestors_SS[segment.parent]
            begin = ends[segment.parent]
        ends.append(begin + len(segment.tokens))
        positions.extend(range(begin, ends[-1]))
    owner_T = torch.repeat_interleave(
        torch.arange(len(row.segments)),
        torch.tensor([len(segment.tokens) for segment in row.segments]),
    )
    related_TT = ancestors_SS[owner_T][:, owner_T]
    return torch.tensor(positions), related_TT.tril()
