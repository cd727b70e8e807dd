"""Lines of JSON between two hosts that hold the same key; neither says anything before the other has proved it.

Both sides send a random challenge and answer the other's with an HMAC; every line after that carries one
over its place and text. Nothing is encrypted, as nothing is between ranks: the network has to be private.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import sys
from pathlib import Path
from typing import Any, Literal, Self

Side = Literal["caller", "host"]

NUM_KEY_BYTES = 32
NUM_CHALLENGE_BYTES = 16
# The hello, and a request: paths and knobs.
MAX_LINE_BYTES = 2**20
SECONDS_TO_GREET = 10
# A peer whose machine has lost its power is found out within a minute.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class ChannelError(Exception):
    """The peer is not who it should be, or does not speak as it should."""


class Channel:
    """One connection after its greeting; lines go both ways."""

    def __init__(self, connection: socket.socket, key: bytes, side: Side) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")
        self._key = key
        self._sides = ("caller", "host") if side == "caller" else ("host", "caller")
        self._challenges = ""
        self._num_sent = 0
        self._num_read = 0

    @classmethod
    def greet(cls, connection: socket.socket, key: bytes, side: Side) -> Self:
        """Prove the key to each other.

        Raises:
            ChannelError: The other side has another key, or none.
            OSError: It is not there any more, or says nothing.
        """
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            for name, value in KEEPALIVE.items():
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection.settimeout(SECONDS_TO_GREET)
        channel = cls(connection, key, side)
        own = secrets.token_hex(NUM_CHALLENGE_BYTES)
        connection.sendall(own.encode() + b"\n")
        others = channel._read_line().decode("ascii", "replace").strip()
        if len(others) != len(own) or others == own:
            raise ChannelError("expected a challenge, got something else")
        pair = (own, others) if side == "caller" else (others, own)
        channel._challenges = "/".join(pair)
        channel.send({"hello": side})
        channel.read()
        connection.settimeout(None)
        return channel

    @property
    def own_address(self) -> str:
        """Address of this host as the other one reaches it."""
        return self._connection.getsockname()[0]

    def send(self, message: dict[str, Any]) -> None:
        """Send one line."""
        text = json.dumps(message)
        proof = self._proof(self._sides[0], self._num_sent, text)
        self._num_sent += 1
        self._connection.sendall(f"{proof} {text}\n".encode())

    def read(self) -> dict[str, Any]:
        """Wait for the next line.

        Raises:
            ChannelError: It is not of the other side, or too long.
            EOFError: There is none any more.
        """
        proof, _, text = self._read_line().decode("utf-8", "replace").rstrip("\n").partition(" ")
        expected = self._proof(self._sides[1], self._num_read, text)
        self._num_read += 1
        if not hmac.compare_digest(proof, expected):
            raise ChannelError("expected a line signed with the key of this workspace")
        return json.loads(text)

    def close(self) -> None:
        """End the connection; a `read` that waits, in whichever thread, ends too."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _proof(self, side: str, place: int, text: str) -> str:
        signed = f"{self._challenges}/{side}/{place}/{text}"
        return hmac.new(self._key, signed.encode(), hashlib.sha256).hexdigest()

    def _read_line(self) -> bytes:
        line = self._reader.readline(MAX_LINE_BYTES)
        if line == b"":
            raise EOFError
        if not line.endswith(b"\n"):
            raise ChannelError("expected a line, got one without an end")
        return line


def read_key(path: Path) -> bytes:
    """Read the key of a workspace.

    Raises:
        OSError: It is not there.
        ChannelError: It is no key, or others may read it.
    """
    if path.stat().st_mode & 0o077:
        raise ChannelError(f"expected {path.name} to be readable by its owner alone (chmod 600)")
    text = path.read_text(encoding="ascii").strip()
    if len(text) != 2 * NUM_KEY_BYTES:
        raise ChannelError(f"expected {path.name} to hold {NUM_KEY_BYTES} bytes in hexadecimal")
    return bytes.fromhex(text)


def interface_of(address: str) -> str | None:
    """Name of the network interface that has an address of this host; None where nobody can tell."""
    if sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                request = name.encode()[:15].ljust(256, b"\0")
                answer = fcntl.ioctl(asked.fileno(), 0x8915, request)  # SIOCGIFADDR
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    # All of 127.0.0.0/8 is this host.
    return "lo" if address.startswith("127.") else None
