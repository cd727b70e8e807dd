"""Lend this host's devices to trainings of other hosts: start ranks when rank 0 asks, end them with it.

Started as `python -m sticflow_ml.rank_host --listen HOST:PORT --key FILE` by `sticflow ranks`. Serves one
training at a time, whoever proves the key. Its ranks read the workspace at the same path as rank 0 does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from sticflow_ml.environment import ENVIRONMENT
from sticflow_ml.errors import EXIT_FAILED, SticflowError
from sticflow_ml.host_channel import Channel, ChannelError, read_key
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.rank_hosts import library_versions
from sticflow_ml.rank_processes import Death, RankProcesses, require_devices
from sticflow_ml.ranks import SECONDS_TO_LEAVE, death_of

# Files of a request that every rank reads.
_READ = ("pairs_path", "examples_path", "work_dir")

_log = logging.getLogger("sticflow.ranks")


def main() -> int:
    """Serve until stdin ends or SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="sticflow ranks")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--key", required=True, type=Path)
    arguments = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    lifeline = Lifeline()
    lifeline.start()
    host, _, port = arguments.listen.rpartition(":")
    try:
        key = read_key(arguments.key)
        listener = socket.create_server((host, int(port)))
    except (OSError, ValueError, ChannelError) as error:
        _log.error("Expected to listen at %s, got: %s", arguments.listen, error)
        return EXIT_FAILED
    address = "{}:{}".format(*listener.getsockname()[:2])
    print(json.dumps({"listening": address}), flush=True)  # noqa: T201 - what the starter reads
    threading.Thread(target=_accept, args=(listener, key), name="accept", daemon=True).start()
    for _ in lifeline.requests():  # nobody sends any: its end is this process's
        pass
    return 0


def _accept(listener: socket.socket, key: bytes) -> None:
    lender = _Lender()
    while True:
        connection, peer = listener.accept()
        threading.Thread(
            target=_serve, args=(connection, f"{peer[0]}:{peer[1]}", key, lender), daemon=True
        ).start()


def _serve(connection: socket.socket, peer: str, key: bytes, lender: _Lender) -> None:
    channel = None
    try:
        channel = Channel.greet(connection, key, "host")
        lender.lend(channel, channel.read(), peer)
    except ChannelError as error:
        _log.warning("%s was refused: %s", peer, error)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s went away: %s", peer, type(error).__name__)
    finally:
        if channel is not None:
            channel.close()
        connection.close()


class _Lender:
    """The devices of this host, for one training at a time."""

    def __init__(self) -> None:
        self._in_use = threading.Lock()

    def lend(self, channel: Channel, message: dict[str, Any], peer: str) -> None:
        """Run the ranks of one training until it is over or its rank 0 is gone."""
        # The training before may be on its way out.
        if not self._in_use.acquire(timeout=2 * SECONDS_TO_LEAVE):
            _refuse(channel, _busy())
            return
        try:
            _require_same(message)
            _train_along(channel, message, peer)
        except SticflowError as error:
            _log.warning("%s was refused: %s", peer, error)
            _refuse(channel, error)
        finally:
            self._in_use.release()


def _train_along(channel: Channel, message: dict[str, Any], peer: str) -> None:
    call, first, number = message["call"], message["first"], message["number"]
    size = call["size"]
    ranks = range(first, first + number)

    def tell(death: Death) -> None:
        _log.warning("rank %d of %d ended with code %d", death.rank, size, death.exit_code)
        with contextlib.suppress(OSError):
            _refuse(channel, death_of(death, size))

    _log.info("%s: ranks %d to %d of %d", peer, ranks[0], ranks[-1], size)
    processes = RankProcesses(ranks, call, first_device=0, on_death=tell)
    seconds = 0
    try:
        channel.read()
        seconds = SECONDS_TO_LEAVE
    except (OSError, EOFError, ChannelError):
        pass  # rank 0 is gone, or has heard of a death
    finally:
        processes.end(seconds)
    _log.info("%s: over", peer)


def _require_same(message: dict[str, Any]) -> None:
    """Refuse a training whose files or libraries are not those of this host.

    Raises:
        SticflowError: `ConfigInvalid`.
    """
    here, there = library_versions(), message["versions"]
    if here != there:
        raise SticflowError(
            "ConfigInvalid",
            f"Expected the same libraries on every host, got {here} and {there}. Set this version of "
            "sticflow up on both.",
        )
    request = message["call"]["request"]
    paths = [request["model"]["path"], *(request[name] for name in _READ if name in request)]
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise SticflowError(
            "ConfigInvalid",
            f"Expected the workspace and the model at the same paths on every host, but {missing[0]} is not "
            "there. Mount the file system of the first host at the same place.",
            missing=missing,
        )
    require_devices(message["call"]["device"], message["number"])


def _busy() -> SticflowError:
    return SticflowError(
        "RankHostUnavailable",
        "Expected a host that trains nothing else, but another training has its devices. It is asked "
        "again later.",
    )


def _refuse(channel: Channel, error: SticflowError) -> None:
    channel.send({"code": error.code, "message": str(error), "details": error.details})


if __name__ == "__main__":
    exit_code = main()
    sys.stderr.flush()
    os._exit(exit_code)
