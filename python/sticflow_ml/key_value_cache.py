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

# Columns that are allocated ahead: a copy of the cache every so many tokens instead of every one.
NUM_COLUMNS_AHEAD = 64


class RoomyLayer(DynamicLayer):
    """Keys and values with room behind them, so that a new token is written in place."""

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None
        # What `update` has returned; whoever has put other tensors in their place has made their own.
        self._shown: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the keys and values of new columns (B, heads, T, size); return those of all columns."""
        if self.get_seq_length() == 0:
            # Prompts are read once, and what is behind them is of other rows.
            return super().update(key_states, value_states, *args, **kwargs)
        length, added = self.get_seq_length(), key_states.shape[2]
        if not self._has_room(length + added):
            self._room = (_with_room(self.keys, added), _with_room(self.values, added))
        assert self._room is not None
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, length : length + added] = states
        self.keys, self.values = (room[:, :, : length + added] for room in self._room)
        self._shown = (self.keys, self.values)
        return self._shown

    def _has_room(self, length: int) -> bool:
        if self._room is None or self._shown is None:
            return False
        is_ours = self.keys is self._shown[0] and self.values is self._shown[1]
        return is_ours and length <= self._room[0].shape[2]


def _with_room(states: torch.Tensor, added: int) -> torch.Tensor:
    num_rows, num_heads, length, size = states.shape
    room = states.new_empty(num_rows, num_heads, length + added + NUM_COLUMNS_AHEAD, size)
    room[:, :, :length] = states
    return room


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
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [
        RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def can_join(cache: DynamicCache) -> bool:
    """True when every layer keeps all tokens: no sliding windows, no recurrent state."""
    return all(type(layer) in (DynamicLayer, RoomyLayer) for layer in cache.layers)


def _left(mask_BT: torch.Tensor, length: int) -> torch.Tensor:
    return pad(mask_BT, (length - mask_BT.shape[1], 0))


def _left_of(states: torch.Tensor, length: int) -> torch.Tensor:
    """Pad keys or values (B, heads, T, size) with zeros on the left of T; they are masked."""
    return pad(states, (0, 0, length - states.shape[2], 0))
