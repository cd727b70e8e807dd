"""The cache of rows that are being written: what it shows is what transformers' own cache would."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from sticflow_ml.key_value_cache import NUM_COLUMNS_AHEAD, CachedRows, RoomyLayer

HEADS, SIZE = 2, 4

Operation = tuple[str, int]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, NUM_COLUMNS_AHEAD + 3)),
        st.tuples(st.just("select"), st.integers(0, 7)),
        st.tuples(st.just("join"), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=12,
)


class _Rows:
    """The same operations on a cache of one kind of layer."""

    def __init__(self, layer: type[DynamicLayer]) -> None:
        self._layer = layer
        self._draw = torch.Generator().manual_seed(0)
        self.rows = self._read(num_rows=3, length=5)

    def apply(self, operation: str, number: int) -> None:
        rows = self.rows
        if operation == "write":
            for _ in range(number):
                states = self._states(len(rows.mask_BT), 1)
                rows.cache.layers[0].update(states, -states)
            more = torch.ones(len(rows.mask_BT), number, dtype=torch.long)
            rows.mask_BT = torch.cat([rows.mask_BT, more], dim=1)
        elif operation == "select":
            count = len(rows.mask_BT)
            rows.select([row for row in range(count) if row == number % count or number >> row & 1])
        else:
            rows.join(self._read(num_rows=number, length=3 + 40 * number))

    def _read(self, *, num_rows: int, length: int) -> CachedRows:
        cache = DynamicCache()
        cache.layers = [self._layer()]
        states = self._states(num_rows, length)
        cache.layers[0].update(states, -states)
        mask_BT = torch.ones(num_rows, length, dtype=torch.long)
        mask_BT[0, : length // 2] = 0
        return CachedRows(cache, mask_BT, torch.zeros(1, num_rows, dtype=torch.long))

    def _states(self, num_rows: int, length: int) -> torch.Tensor:
        return torch.randn(num_rows, HEADS, length, SIZE, generator=self._draw)


@settings(deadline=None)
@given(OPERATIONS)
def test_rows_that_are_written_left_and_joined_are_those_of_a_cache_without_room(
    operations: list[Operation],
) -> None:
    ours, theirs = _Rows(RoomyLayer), _Rows(DynamicLayer)

    for operation in operations:
        ours.apply(*operation)
        theirs.apply(*operation)
        layer, expected = ours.rows.cache.layers[0], theirs.rows.cache.layers[0]
        assert torch.equal(layer.keys, expected.keys)
        assert torch.equal(layer.values, expected.values)


def test_a_token_is_written_in_place_until_the_room_is_used_up() -> None:
    rows = _Rows(RoomyLayer)
    rows.apply("write", 1)
    layer = rows.rows.cache.layers[0]
    first = layer.keys.data_ptr()

    rows.apply("write", NUM_COLUMNS_AHEAD)
    assert layer.keys.data_ptr() == first

    rows.apply("write", 1)
    assert layer.keys.data_ptr() != first
