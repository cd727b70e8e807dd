"""What the processes that train together tell each other: JSON values, and the sum of their gradients.

A process is called a rank, as in torch.distributed; rank 0 is the model process that a worker talks
to. Nothing is pickled: values travel as JSON through torch's key-value store.
"""

# torch.distributed exports its stores without saying so.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import distributed

# Gradients are summed in pieces of this many numbers: a second copy of all would cost memory.
NUM_IN_BUCKET = 2**24


class World:
    """The ranks as one of them sees them.

    Args:
        rank: Of this process.
        size: Number of ranks.
        store: Reached by all of them; None = there is one rank only.
    """

    def __init__(self, rank: int, size: int, store: distributed.Store | None) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._num_gathered = 0

    @property
    def is_first(self) -> bool:
        """True for the rank that writes files and talks to the worker."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return the JSON values of all ranks, in order; every rank must call it, in the same order."""
        if self._store is None:
            return [value]
        turn = self._num_gathered
        self._num_gathered += 1
        self._store.set(f"{turn}/{self.rank}", json.dumps(value))
        gathered = [json.loads(self._store.get(f"{turn}/{rank}")) for rank in range(self.size)]
        if self.is_first and turn > 0:
            # Every rank has spoken in this turn, so every rank has read the one before.
            for rank in range(self.size):
                self._store.delete_key(f"{turn - 1}/{rank}")
        return gathered

    def from_first(self, value: Any) -> Any:
        """Return the JSON value of rank 0; what the others pass is ignored."""
        return self.gather(value if self.is_first else None)[0]

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its sum over the ranks; a missing one counts as zeros."""
        if self._store is None:
            return
        bucket: list[torch.Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            if sum(gradient.numel() for gradient in bucket) >= NUM_IN_BUCKET:
                _sum(bucket)
                bucket = []
        if bucket:
            _sum(bucket)


ALONE = World(rank=0, size=1, store=None)


def _sum(gradients: list[torch.Tensor]) -> None:
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
