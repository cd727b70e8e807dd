"""Start the other ranks of a training, watch over them, and end them with it.

Rank 0 is the model process itself. The others are processes of its group that run the same request
(rank.py): they die with it, and the death of one ends the request at once, since a rank that waits
for a dead one would wait for ever.
"""

# torch.distributed exports its stores without saying so.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import distributed

from sticflow_ml.contract import TrainInfusedRequest, TrainPreferenceRequest
from sticflow_ml.devices import resolve_device
from sticflow_ml.errors import EXIT_FAILED, SticflowError, Stopped
from sticflow_ml.protocol import Reporter
from sticflow_ml.world import ALONE, World

Request = TrainPreferenceRequest | TrainInfusedRequest

HOST = "127.0.0.1"
# The worker's watchdog ends a training without progress much sooner; this only must not be before it.
LONGEST_WAIT = timedelta(hours=2)
# A rank that failed because another died is heard of first now and then; the cause follows at once.
SECONDS_FOR_THE_CAUSE = 10
SECONDS_TO_LEAVE = 5


@contextlib.contextmanager
def together(request: Request, reporter: Reporter, world: World | None) -> Iterator[World]:
    """Make the ranks that a request asks for and end them afterwards.

    Args:
        request: Says how many; they run it too.
        reporter: Hears why a rank died.
        world: Of a process that is one of the ranks already; None = this is the model process.

    Raises:
        SticflowError: `ConfigInvalid` when there are fewer devices than ranks.
    """
    size = request.optimization.world_size or 1
    if world is not None:
        yield world
    elif size == 1:
        yield ALONE
    else:
        with _Ranks(request, reporter, size) as made:
            yield made


def join(rank: int, size: int, port: int, device: str) -> World:
    """Meet the other ranks; rank 0 has made the store that `port` leads to."""
    store = distributed.TCPStore(HOST, port, size, is_master=False, timeout=LONGEST_WAIT)
    return _world(rank, size, store, device)


class _Ranks:
    def __init__(self, request: Request, reporter: Reporter, size: int) -> None:
        self._reporter = reporter
        self._size = size
        self._device = resolve_device(request.model.device).type
        _require_devices(self._device, size)
        # Bound here, because the store's own socket would listen to the whole network.
        listener = socket.socket()
        listener.bind((HOST, 0))
        listener.listen(size)
        self._port = listener.getsockname()[1]
        self._store = distributed.TCPStore(
            HOST,
            self._port,
            size,
            is_master=True,
            wait_for_workers=False,
            timeout=LONGEST_WAIT,
            master_listen_fd=listener.detach(),
        )
        self._failing = threading.Lock()
        self._is_over = False
        self._processes = [self._start(request, rank) for rank in range(1, size)]
        for rank, process in enumerate(self._processes, start=1):
            threading.Thread(
                target=self._watch, args=(rank, process), name=f"rank {rank}", daemon=True
            ).start()

    def __enter__(self) -> World:
        return _world(0, self._size, self._store, self._device)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, SticflowError | Stopped):
            # Most likely a sum that broke off because a rank died; then its watcher ends this process.
            threading.Event().wait(SECONDS_FOR_THE_CAUSE)
        with self._failing:
            self._is_over = True
        self._end(0 if error is not None else SECONDS_TO_LEAVE)
        if error is None:
            distributed.destroy_process_group()

    def _start(self, request: Request, rank: int) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": _with_our_package()}
        if self._device == "cuda":
            # A rank sees its own device only, so that "the device" means the same in every process.
            environment["CUDA_VISIBLE_DEVICES"] = _visible_devices()[rank]
        process = subprocess.Popen(
            [sys.executable, "-m", "sticflow_ml.rank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        call = {
            "rank": rank,
            "size": self._size,
            "port": self._port,
            "device": self._device,
            "request": request.model_dump(mode="json", exclude_unset=True),
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(call).encode() + b"\n")
        process.stdin.flush()
        return process

    def _watch(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        said = process.stdout.read()
        code = process.wait()
        with self._failing:
            if self._is_over or code == 0:
                return
            self._reporter.error(_reason(rank, self._size, code, said))
            for other in self._processes:
                other.kill()
            # Rank 0 waits inside the library, where no exception reaches it.
            os._exit(EXIT_FAILED)

    def _end(self, seconds: float) -> None:
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
            process.wait()
            process.stdin.close()


def _world(rank: int, size: int, store: distributed.Store, device: str) -> World:
    if sys.platform == "linux":
        # Else gloo listens on whatever address the name of this host stands for.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        store=distributed.PrefixStore("group", store),
        rank=rank,
        world_size=size,
        timeout=LONGEST_WAIT,
    )
    return World(rank, size, distributed.PrefixStore("values", store))


def _reason(rank: int, size: int, code: int, said: bytes) -> SticflowError:
    """Why a rank ended: in its own words, where it had time for them."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            error: dict[str, Any] = json.loads(line)
            return SticflowError(
                error["code"], f"Rank {rank} of {size}: {error['message']}", **error["details"]
            )
    how = f"{signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return SticflowError(
        "RankDied",
        f"Expected all {size} ranks of the training to last to its end, but rank {rank} ended with "
        f"{how}. The others were ended too; the work goes on from the last checkpoint. If it comes "
        "again, see the log of the model process and the memory of this host, or set world_size "
        "lower.",
        rank=rank,
        world_size=size,
        exit_code=code,
    )


def _require_devices(device: str, size: int) -> None:
    if device != "cuda" or torch.cuda.device_count() >= size:
        return
    raise SticflowError(
        "ConfigInvalid",
        f"Expected {size} CUDA devices because world_size is {size}, found "
        f"{torch.cuda.device_count()}. Set world_size to what this host has.",
        num_devices=torch.cuda.device_count(),
    )


def _visible_devices() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(index) for index in range(torch.cuda.device_count())]
    return [name.strip() for name in named.split(",")]


def _with_our_package() -> str:
    ours = str(Path(__file__).parents[1])
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([ours, *(other for other in others if other not in ("", ours))])
