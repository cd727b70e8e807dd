"""The other hosts of a training, as rank 0 sees them: called, told what to start, heard when they fail."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sticflow_ml.contract import Hosts
from sticflow_ml.errors import SticflowError
from sticflow_ml.host_channel import Channel, ChannelError, read_key

SECONDS_TO_CONNECT = 10
# What must not differ between ranks that are to come to the same numbers.
LIBRARIES = ("torch", "transformers", "peft", "accelerate")


def library_versions() -> dict[str, str]:
    """What the numbers depend on here."""
    return {name: version(name) for name in LIBRARIES}


class RankHosts:
    """Connections to every host of a request; to none where it names none.

    Args:
        hosts: Addresses and the key.
        on_failure: Called in a thread of its own when a host or one of its ranks fails; not after `end`.

    Raises:
        SticflowError: `RankHostUnavailable` where nobody answers, `ConfigInvalid` where somebody else does.
    """

    def __init__(self, hosts: Hosts | None, *, on_failure: Callable[[SticflowError], None]) -> None:
        self._on_failure = on_failure
        self._channels: dict[str, Channel] = {}
        if hosts is None:
            return
        key = _key_of(hosts)
        try:
            for address in (one.root for one in hosts.addresses):
                self._channels[address] = _connect(address, key)
        except BaseException:
            self.end(is_done=False)
            raise

    @property
    def own_address(self) -> str | None:
        """Address of this host as the others reach it; None where there are no others."""
        for channel in self._channels.values():
            return channel.own_address
        return None

    def start(self, call: dict[str, Any], num_on_a_host: int) -> None:
        """Have every host start its ranks, and listen to it from here on."""
        for place, (address, channel) in enumerate(self._channels.items(), start=1):
            first = place * num_on_a_host
            message = {
                "call": call,
                "first": first,
                "number": num_on_a_host,
                "versions": library_versions(),
            }
            threading.Thread(
                target=self._listen,
                args=(address, channel, message),
                name=f"host {address}",
                daemon=True,
            ).start()

    def end(self, *, is_done: bool) -> None:
        """Let the hosts end their ranks: after a moment where the training is done, else at once."""
        for channel in self._channels.values():
            with contextlib.suppress(OSError):
                if is_done:
                    channel.send({"over": True})
            channel.close()

    def _listen(self, address: str, channel: Channel, message: dict[str, Any]) -> None:
        size = message["call"]["size"]
        try:
            channel.send(message)
            failure = channel.read()
        except (OSError, EOFError, ChannelError, ValueError) as error:
            self._on_failure(
                SticflowError(
                    "RankDied",
                    f"Expected the ranks on {address} to last to the end of the training, but the "
                    f"connection ended ({type(error).__name__}). The others were ended too; the work goes "
                    "on from the last checkpoint. See that `sticflow ranks` still runs there.",
                    host=address,
                    world_size=size,
                )
            )
            return
        details = {**failure["details"], "host": address}
        self._on_failure(
            SticflowError(failure["code"], f"Host {address}: {failure['message']}", **details)
        )


def _key_of(hosts: Hosts) -> bytes:
    try:
        return read_key(Path(hosts.key_path))
    except (OSError, ValueError, ChannelError) as error:
        raise SticflowError(
            "ConfigInvalid",
            f"Expected the key that the hosts of a training share in the workspace, got: {error}. Start "
            "`sticflow ranks` on the other hosts with this workspace; the first one makes the key.",
        ) from error


def _connect(address: str, key: bytes) -> Channel:
    host, _, port = address.rpartition(":")
    try:
        connection = socket.create_connection((host, int(port)), timeout=SECONDS_TO_CONNECT)
        return Channel.greet(connection, key, "caller")
    except ChannelError as error:
        raise SticflowError(
            "ConfigInvalid",
            f"Expected `sticflow ranks` with the key of this workspace at {address}, but {error}. Start it "
            "there with the same workspace, or correct `hosts`.",
            host=address,
        ) from error
    except (OSError, EOFError) as error:
        raise SticflowError(
            "RankHostUnavailable",
            f"Expected `sticflow ranks` to answer at {address}, got: {error or type(error).__name__}. "
            "Start it there, or take the host out of `hosts`; the work goes on from the last checkpoint.",
            host=address,
        ) from error
