"""What two hosts say to each other carries the key, and nothing else is taken."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from rank_host_process import write_key

from sticflow_ml.host_channel import Channel, ChannelError, interface_of, read_key


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "ranks.key")


def test_a_line_that_is_repeated_or_changed_is_refused(key: Path) -> None:
    for tamper in (
        lambda lines: [lines[0], lines[0]],
        lambda lines: [lines[0].replace(b"1", b"2")],
    ):
        left, right = socket.socketpair()
        with left, right:
            secret = read_key(key)
            caller, host = Channel(left, secret, "caller"), Channel(right, secret, "host")
            captured: list[bytes] = []
            caller._connection = _Recorder(captured)  # pyright: ignore[reportAttributeAccessIssue]
            caller.send({"value": 1})
            left.sendall(b"".join(tamper(captured)))
            lines = tamper(captured)
            for _ in lines[1:]:
                assert host.read() == {"value": 1}
            with pytest.raises(ChannelError):
                host.read()


class _Recorder:
    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def sendall(self, line: bytes) -> None:
        self._lines.append(line)


def test_a_key_that_others_may_read_is_refused(key: Path) -> None:
    key.chmod(0o644)

    with pytest.raises(ChannelError, match="chmod 600"):
        read_key(key)


def test_the_interface_of_an_address_is_found_by_its_name() -> None:
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("192.0.2.1") is None
