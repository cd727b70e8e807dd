"""Another host of a training: the real `sticflow_ml.rank_host`, on an address of its own of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_process import PYTHON_ROOT

# Not the address that rank 0 has.
ADDRESS = "127.0.0.2"


class RankHostProcess:
    """A host that lends its devices; use `rank_host` to start one."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self.log = log

    def children(self) -> list[int]:
        """Processes that it has started and that live."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = []
        # Those that threads have started are listed at their threads.
        for task in path.parents[1].iterdir():
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def write_key(path: Path) -> Path:
    """Write a key as `sticflow ranks` does."""
    path.write_text(secrets.token_hex(32), encoding="ascii")
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def rank_host(
    key: Path, log: Path, *, faults: str = "", port: int = 0
) -> Iterator[RankHostProcess]:
    """Start a host, wait until it listens, and end it."""
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sticflow_ml.rank_host"),
                *("--listen", f"{ADDRESS}:{port}", "--key", str(key)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={
                **os.environ,
                "PYTHONPATH": str(PYTHON_ROOT),
                "OMP_NUM_THREADS": "1",
                "STICFLOW_FAULTS": faults,
            },
        )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield RankHostProcess(process, json.loads(line)["listening"], log)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def on_hosts(
    request: dict[str, Any], size: int, key: Path, *addresses: str, attempt: int = 1, **knobs: Any
) -> dict[str, Any]:
    """The same training by `size` ranks, shared between this host and those at `addresses`."""
    hosts = {"addresses": list(addresses), "key_path": str(key)}
    optimization = {**request["optimization"], "world_size": size, "hosts": hosts, **knobs}
    return {**request, "optimization": optimization, "attempt": attempt}
