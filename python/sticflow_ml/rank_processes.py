"""The ranks of one training that are processes of this host: started, watched over, and ended together."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.errors import SticflowError


@dataclass(frozen=True)
class Death:
    """A rank that ended before its work was done."""

    rank: int
    exit_code: int
    said: str

    def words(self) -> dict[str, Any] | None:
        """Code, message and details, where it had time for them."""
        for line in self.said.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                error = json.loads(line)
                return {name: error[name] for name in ("code", "message", "details")}
        return None


class RankProcesses:
    """Processes of `rank.py`.

    Args:
        ranks: Their numbers.
        call: What all of them are told, but for their number.
        first_device: Index among the devices that this process sees of the first one's.
        on_death: Called in a thread of its own with the first rank that fails; never after `forget`.
    """

    def __init__(
        self,
        ranks: range,
        call: dict[str, Any],
        *,
        first_device: int,
        on_death: Callable[[Death], None],
    ) -> None:
        self._on_death = on_death
        self._lock = threading.Lock()
        self._is_over = False
        self._processes = [
            _start({**call, "rank": rank}, first_device + place) for place, rank in enumerate(ranks)
        ]
        for rank, process in zip(ranks, self._processes, strict=True):
            threading.Thread(
                target=self._watch, args=(rank, process), name=f"rank {rank}", daemon=True
            ).start()

    def forget(self) -> None:
        """Report no death from here on."""
        with self._lock:
            self._is_over = True

    def end(self, seconds: float) -> None:
        """Give them so long to end by themselves, then kill them."""
        self.forget()
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
            process.wait()
            process.stdin.close()

    def kill(self) -> None:
        """Kill them without waiting."""
        for process in self._processes:
            process.kill()

    def _watch(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        said = process.stdout.read().decode("utf-8", "replace")
        code = process.wait()
        with self._lock:
            if self._is_over or code == 0:
                return
            self._is_over = True
            self._on_death(Death(rank, code, said))


def require_devices(device: str, number: int) -> None:
    """Refuse more ranks than this host has devices.

    Raises:
        SticflowError: `ConfigInvalid`.
    """
    if device != "cuda" or torch.cuda.device_count() >= number:
        return
    raise SticflowError(
        "ConfigInvalid",
        f"Expected {number} CUDA devices on this host, found {torch.cuda.device_count()}. Set world_size "
        "to what the hosts have, all together.",
        num_devices=torch.cuda.device_count(),
    )


def _start(call: dict[str, Any], device_index: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": _with_our_package()}
    if call["device"] == "cuda":
        # A rank sees its own device only, so that "the device" means the same in every process.
        environment["CUDA_VISIBLE_DEVICES"] = _visible_devices()[device_index]
    process = subprocess.Popen(
        [sys.executable, "-m", "sticflow_ml.rank"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(call).encode() + b"\n")
    process.stdin.flush()
    return process


def _visible_devices() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(index) for index in range(torch.cuda.device_count())]
    return [name.strip() for name in named.split(",")]


def _with_our_package() -> str:
    ours = str(Path(__file__).parents[1])
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([ours, *(other for other in others if other not in ("", ours))])
