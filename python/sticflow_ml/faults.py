"""Named points at which tests let this process die, fail or hang; off unless asked for.

`STICFLOW_FAULTS="train_preference.step:kill@3,generate.block:raise@2"` kills the process at the
third pass of the one point and raises at the second pass of the other. Each fault strikes once a
work folder: it leaves a mark there first, so that the attempt after it gets past. Points of rank 1 of a
training on several devices are called `rank1.train_preference.step` and so on.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

from sticflow_ml.errors import SticflowError

ENVIRONMENT_VARIABLE = "STICFLOW_FAULTS"
ACTIONS = ("kill", "raise", "stall", "out_of_memory")


class Faults:
    """The faults planted for one work folder.

    Args:
        work_dir: Folder that remembers which faults have struck.
        specification: Value of `STICFLOW_FAULTS`; empty = none.
        rank: Of this process among those that train together.
    """

    def __init__(self, work_dir: Path, specification: str | None = None, *, rank: int = 0) -> None:
        if specification is None:
            specification = os.environ.get(ENVIRONMENT_VARIABLE, "")
        self._work_dir = work_dir
        self._prefix = "" if rank == 0 else f"rank{rank}."
        self._planted: dict[tuple[str, int], str] = {}
        self._passes: Counter[str] = Counter()
        for fault in filter(None, (part.strip() for part in specification.split(","))):
            point, _, rest = fault.partition(":")
            action, _, number = rest.partition("@")
            if action not in ACTIONS or not number.isdigit():
                raise SticflowError(
                    "Internal",
                    f"Expected {ENVIRONMENT_VARIABLE} to be <point>:<action>@<number> with an "
                    f"action of {', '.join(ACTIONS)}, got `{fault}`. Mend or unset the variable.",
                )
            self._planted[point, int(number)] = action

    def reach(self, point: str) -> None:
        """Pass a named point; strikes when a fault is planted for this pass of it."""
        if not self._planted:
            return
        point = self._prefix + point
        self._passes[point] += 1
        action = self._planted.get((point, self._passes[point]))
        if action is None:
            return
        mark = self._work_dir / f".fault-{point}-{self._passes[point]}"
        if mark.exists():
            return
        mark.touch()
        _strike(action, point)


def _strike(action: str, point: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "stall":
        while True:
            time.sleep(3600)
    if action == "out_of_memory":
        import torch

        raise torch.OutOfMemoryError(f"planted at {point}")
    raise SticflowError("Internal", f"planted at {point}")
