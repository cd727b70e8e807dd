"""Start the other ranks of a training, watch over them, and end them with it.

Rank 0 is the model process itself. The others run the same request (rank.py): on this host as processes of
its group, on others behind a channel (rank_hosts.py). They die with it, and the death of one ends the
request at once, since a rank that waits for a dead one would wait for ever.
"""

# torch.distributed exports its stores without saying so.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any

from torch import distributed

from sticflow_ml.contract import TrainInfusedRequest, TrainPreferenceRequest
from sticflow_ml.devices import resolve_device
from sticflow_ml.errors import EXIT_FAILED, SticflowError, Stopped
from sticflow_ml.host_channel import interface_of
from sticflow_ml.protocol import Reporter
from sticflow_ml.rank_hosts import RankHosts
from sticflow_ml.rank_processes import Death, RankProcesses, require_devices
from sticflow_ml.world import ALONE, World

Request = TrainPreferenceRequest | TrainInfusedRequest

LOOPBACK = "127.0.0.1"
# The worker's watchdog ends a training without progress much sooner; this only must not be before it.
LONGEST_WAIT = timedelta(hours=2)
# A rank that failed because another died is heard of first now and then; the cause follows at once.
SECONDS_FOR_THE_CAUSE = 10
SECONDS_TO_LEAVE = 5


@contextlib.contextmanager
def together(request: Request, reporter: Reporter, world: World | None) -> Iterator[World]:
    """Make the ranks that a request asks for and end them afterwards.

    Args:
        request: Says how many, and on which hosts; they run it too.
        reporter: Hears why a rank died.
        world: Of a process that is one of the ranks already; None = this is the model process.

    Raises:
        SticflowError: `ConfigInvalid` when there are fewer devices than ranks; `RankHostUnavailable`.
    """
    size = request.optimization.world_size or 1
    if world is not None:
        yield world
    elif size == 1:
        yield ALONE
    else:
        with _Ranks(request, reporter, size) as made:
            yield made


def join(call: dict[str, Any]) -> World:
    """Meet the other ranks; `call` names the rank, their number, and where rank 0 has made the store."""
    store = distributed.TCPStore(
        call["address"], call["port"], call["size"], is_master=False, timeout=LONGEST_WAIT
    )
    return _world(call, store)


class _Ranks:
    def __init__(self, request: Request, reporter: Reporter, size: int) -> None:
        self._reporter = reporter
        self._size = size
        self._failing = threading.Lock()
        self._is_over = False
        device = resolve_device(request.model.device).type
        hosts = request.optimization.hosts
        num_hosts = 1 if hosts is None else 1 + len(hosts.addresses)
        if size % num_hosts > 0:
            raise SticflowError(
                "ConfigInvalid",
                f"Expected as many ranks on each of {num_hosts} hosts, got {size} in all. Set world_size to a "
                "multiple of the number of hosts.",
            )
        num_on_a_host = size // num_hosts
        require_devices(device, num_on_a_host)
        self._hosts = RankHosts(hosts, on_failure=self._fail)
        address = self._hosts.own_address or LOOPBACK
        # Bound here, because the store's own socket would listen to every network.
        listener = socket.socket()
        listener.bind((address, 0))
        listener.listen(size)
        self._call = {
            "rank": 0,
            "size": size,
            "address": address,
            "port": listener.getsockname()[1],
            "device": device,
            "request": request.model_dump(mode="json", exclude_unset=True),
        }
        self._store = distributed.TCPStore(
            address,
            self._call["port"],
            size,
            is_master=True,
            wait_for_workers=False,
            timeout=LONGEST_WAIT,
            master_listen_fd=listener.detach(),
        )
        self._local = RankProcesses(
            range(1, num_on_a_host), self._call, first_device=1, on_death=self._on_death
        )
        self._hosts.start(self._call, num_on_a_host)

    def __enter__(self) -> World:
        return _world(self._call, self._store)

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
        self._hosts.end(is_done=error is None)
        self._local.end(0 if error is not None else SECONDS_TO_LEAVE)
        if error is None:
            distributed.destroy_process_group()

    def _on_death(self, death: Death) -> None:
        self._fail(death_of(death, self._size))

    def _fail(self, error: SticflowError) -> None:
        with self._failing:
            if self._is_over:
                return
            self._reporter.error(error)
            self._local.kill()
            # Rank 0 waits inside the library, where no exception reaches it.
            os._exit(EXIT_FAILED)


def _world(call: dict[str, Any], store: distributed.Store) -> World:
    interface = interface_of(_own_address(call["address"], call["port"]))
    if interface is not None:
        # Else gloo listens on whatever address the name of this host stands for.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        if interface != "lo":
            os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    distributed.init_process_group(
        "nccl" if call["device"] == "cuda" else "gloo",
        store=distributed.PrefixStore("group", store),
        rank=call["rank"],
        world_size=call["size"],
        timeout=LONGEST_WAIT,
    )
    return World(call["rank"], call["size"], distributed.PrefixStore("values", store))


def _own_address(address: str, port: int) -> str:
    """Address of this host on the way to rank 0; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect((address, port))
        return towards.getsockname()[0]


def death_of(death: Death, size: int) -> SticflowError:
    """Why a rank ended: in its own words, where it had time for them."""
    words = death.words()
    if words is not None:
        message = f"Rank {death.rank} of {size}: {words['message']}"
        return SticflowError(words["code"], message, **words["details"])
    code = death.exit_code
    how = f"{signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return SticflowError(
        "RankDied",
        f"Expected all {size} ranks of the training to last to its end, but rank {death.rank} ended "
        f"with {how}. The others were ended too; the work goes on from the last checkpoint. If it comes "
        "again, see the log of its process and the memory of its host, or set world_size lower.",
        rank=death.rank,
        world_size=size,
        exit_code=code,
    )
