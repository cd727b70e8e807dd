"""How many examples go through the model at once, halved where memory does not suffice.

Order, global batch and loss stay: a step is cut into more pieces, whose shares in the loss add up to
the same (losses.py). So a training survives a device that is fuller than planned, and says so.
"""

from __future__ import annotations

from typing import Any

import torch

from sticflow_ml.errors import SticflowError
from sticflow_ml.objective import Objective
from sticflow_ml.protocol import Reporter

MAX_HALVINGS = 3

# `turn` and `place` of each example of a micro-batch, as the data loader gives them
Places = dict[str, torch.Tensor]


class MicroBatches:
    """The size of a micro-batch, and what was changed about it.

    Args:
        size: As asked for.
        objective: Whose examples they are.
        reporter: Told of every change.
        is_sharded: Ranks share the base out, so that all must cut alike and none can do a pass again.
    """

    def __init__(
        self, size: int, *, objective: Objective, reporter: Reporter, is_sharded: bool = False
    ) -> None:
        self._size_asked = size
        self._objective = objective
        self._reporter = reporter
        self._is_sharded = is_sharded
        self.deviations: list[dict[str, Any]] = []

    @property
    def size(self) -> int:
        """Examples at once, now; half of an odd number is rounded up."""
        return -(-self._size_asked // 2 ** len(self.deviations))

    def cut(self, places: Places) -> list[Places]:
        """Cut what the data loader gives into pieces of at most `size` examples, in order."""
        pieces = {name: column.split(self.size) for name, column in places.items()}
        return [
            dict(zip(pieces, columns, strict=True))
            for columns in zip(*pieces.values(), strict=True)
        ]

    @property
    def num_pieces(self) -> int:
        """Pieces of a whole micro-batch."""
        return -(-self._size_asked // self.size)

    def longest(self) -> list[int]:
        """Places of the examples that fill a micro-batch with the most tokens, longest first."""
        lengths = self._objective.num_tokens
        by_length = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
        return by_length[: self.size]

    def follow(self, deviations: list[dict[str, Any]]) -> None:
        """Take over what another rank has changed, so that all ranks cut alike from here on."""
        if len(deviations) <= len(self.deviations):
            return
        self.deviations = deviations
        self._reporter.notice(
            "micro_batch_halved",
            f"memory did not suffice on another device; from here on {self.size} at once everywhere",
        )

    def halve(self, error: str, *, step: int) -> None:
        """Note that memory did not suffice for `size` examples in `step`, and go on with half.

        Raises:
            SticflowError: `OutOfMemory` when one example is too many, after `MAX_HALVINGS`, or where
                other ranks wait in the middle of this pass.
        """
        if self._is_sharded or self.size == 1 or len(self.deviations) == MAX_HALVINGS:
            raise self._failure(error, step)
        before = self.size
        self.deviations.append({"name": "micro_batch_halved", "step": step})
        self.deviations[-1]["micro_batch_size"] = self.size
        self._reporter.notice(
            "micro_batch_halved",
            f"memory did not suffice for {before} examples at once in step {step}; it is done anew "
            f"with {self.size}, and so are the steps after it",
        )

    def _failure(self, error: str, step: int) -> SticflowError:
        place = self.longest()[0]
        example_id = self._objective.example_ids[place]
        num_tokens = self._objective.num_tokens[place]
        examples = "1 example" if self.size == 1 else f"{self.size} examples"
        why = (
            " Ranks that share the base out (parallelism: sharded) cannot do a pass again in smaller "
            "pieces, because all of them wait in it."
            if self._is_sharded
            else ""
        )
        return SticflowError(
            "OutOfMemory",
            f"Expected memory for {examples} at once in step {step}, got: {error}. The longest is "
            f"`{example_id}` with {num_tokens} tokens.{why} Free the device, set "
            "gradient_checkpointing, or set micro_batch_size or max_length lower.",
            step=step,
            micro_batch_size=self.size,
            longest_example_id=example_id,
            longest_example_tokens=num_tokens,
        )
