"""Rows enter and leave a key-value cache while texts are being written.

Columns are shared by all rows: a row that is shorter than the others has masked columns on its left.
Only caches whose layers keep every token can be joined this way; `can_join` tells.
"""

# transformers types the layers of a cache by what all kinds of them have; `can_join` has looked.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalSubscript=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

# Shape suffixes: A position axes, B rows, T columns


@dataclass
class CachedRows:
    """The tensors of the rows that are being written.

    Args:
        cache: Keys and values of all columns.
        mask_BT: 1 where a column belongs to the row.
        next_position_AB: Position of the token that comes next.
    """

    cache: DynamicCache
    mask_BT: torch.Tensor
    next_position_AB: torch.Tensor

    def select(self, rows: list[int]) -> None:
        """Keep these rows only, and drop the columns that none of them uses."""
        kept = torch.tensor(rows, device=self.mask_BT.device)
        self.cache.batch_select_indices(kept)
        self.mask_BT = self.mask_BT[kept]
        self.next_position_AB = self.next_position_AB[:, kept]
        first = int(self.mask_BT.any(dim=0).int().argmax())
        if first > 0 and can_join(self.cache):
            self.mask_BT = self.mask_BT[:, first:]
            for layer in self.cache.layers:
                layer.keys = layer.keys[:, :, first:]
                layer.values = layer.values[:, :, first:]

    def join(self, others: CachedRows) -> None:
        """Append the rows of `others`, aligned on the right."""
        length = max(self.mask_BT.shape[1], others.mask_BT.shape[1])
        self.mask_BT = torch.cat([_left(self.mask_BT, length), _left(others.mask_BT, length)])
        self.next_position_AB = torch.cat([self.next_position_AB, others.next_position_AB], dim=1)
        for own, other in zip(self.cache.layers, others.cache.layers, strict=True):
            own.keys = torch.cat([_left_of(own.keys, length), _left_of(other.keys, length)])
            own.values = torch.cat([_left_of(own.values, length), _left_of(other.values, length)])


def new_cache(model: PreTrainedModel) -> DynamicCache:
    """Return an empty cache with the kinds of layers that the model's configuration asks for."""
    return DynamicCache(config=model.config.get_text_config(decoder=True))


def can_join(cache: DynamicCache) -> bool:
    """True when every layer keeps all tokens: no sliding windows, no recurrent state."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _left(mask_BT: torch.Tensor, length: int) -> torch.Tensor:
    return pad(mask_BT, (length - mask_BT.shape[1], 0))


def _left_of(states: torch.Tensor, length: int) -> torch.Tensor:
    """Pad keys or values (B, heads, T, size) with zeros on the left of T; they are masked."""
    return pad(states, (0, 0, length - states.shape[2], 0))
