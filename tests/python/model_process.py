"""Starts the real model process and talks to it as a worker does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

PYTHON_ROOT = Path(__file__).parents[2] / "python"


class ModelProcess:
    """A `python -m sticflow_ml` of its own process group; use as a context manager."""

    def __init__(self, *, faults: str = "", log: Path | None = None) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(PYTHON_ROOT),
            "OMP_NUM_THREADS": "1",
            "STICFLOW_FAULTS": faults,
        }
        self._log = None if log is None else log.open("ab")
        self.process = subprocess.Popen(
            # The shell moves our pipe from fd 1 to fd 3 and then becomes Python.
            ["bash", "-c", 'exec "$0" -m sticflow_ml 3>&1 1>&2', sys.executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log or subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self.messages: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                stream.close()

    def send(self, request: dict[str, Any]) -> None:
        """Write one request."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the process closed the stream."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return None
        self.messages.append(json.loads(line))
        return self.messages[-1]

    def until(self, *types: str, timeout_seconds: float = 60) -> dict[str, Any] | None:
        """Read messages up to one of the named types; None when the process ended first."""
        watchdog = threading.Timer(timeout_seconds, self.process.kill)
        watchdog.start()
        try:
            while (message := self.receive()) is not None:
                if message["type"] in types:
                    return message
            return None
        finally:
            watchdog.cancel()

    def run(self, request: dict[str, Any], timeout_seconds: float = 60) -> dict[str, Any] | None:
        """Send a request and return its `result` or `error`; None when the process died."""
        self.send(request)
        return self.until("result", "error", timeout_seconds=timeout_seconds)

    def exit_code(self, timeout_seconds: float = 10) -> int:
        """Wait for the end; -9 means killed."""
        return self.process.wait(timeout_seconds)


if __name__ == "__main__":
    # For reading along: model_process.py REQUEST.json
    started = time.monotonic()
    with ModelProcess(log=Path("/dev/stderr")) as process:
        process.send(json.loads(Path(sys.argv[1]).read_text()))
        while (
            received := process.until(
                "hello", "progress", "notice", "metric", "checkpoint", "result", "error"
            )
        ) is not None:
            sys.stdout.write(f"{time.monotonic() - started:7.2f} {json.dumps(received)}\n")
            if received["type"] in ("result", "error"):
                break
