"""Talks to a model process as a worker does.

`ModelProcess.start` runs the real command. `ModelProcess.fork` runs the same `main` in a copy of this
process, in which torch is imported already: a second less to wait for each of the many processes
that a test kills.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Self

PYTHON_ROOT = Path(__file__).parents[2] / "python"


class ModelProcess:
    """A model process in a process group of its own; use as a context manager."""

    def __init__(self, pid: int, requests: BinaryIO, messages: BinaryIO) -> None:
        self.pid = pid
        self._requests = requests
        self._messages = messages
        self._status: int | None = None
        self.messages: list[dict[str, Any]] = []

    @classmethod
    def start(cls, *, log: Path = Path(os.devnull)) -> Self:
        """Start `python -m sticflow_ml`."""
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                # The shell moves our pipe from fd 1 to fd 3 and then becomes Python.
                ["bash", "-c", 'exec "$0" -m sticflow_ml 3>&1 1>&2', sys.executable],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": str(PYTHON_ROOT), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        process.returncode = 0  # its end is waited for here, not by the garbage collector
        return cls(process.pid, process.stdin, process.stdout)

    @classmethod
    def fork(cls, *, faults: str = "", log: Path = Path(os.devnull)) -> Self:
        """Start a copy of this process that serves requests."""
        from sticflow_ml import generate, infused_training, preference_training  # noqa: F401

        gc.freeze()  # the copy's collections are quick then
        requests_read, requests_write = os.pipe()
        messages_read, messages_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            _become_model_process(requests_read, messages_write, faults=faults, log=log)
        gc.unfreeze()
        os.close(requests_read)
        os.close(messages_write)
        return cls(pid, os.fdopen(requests_write, "wb"), os.fdopen(messages_read, "rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        self._messages.close()

    def kill(self) -> None:
        """Kill the whole group and wait for its end."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.exit_code()

    def terminate(self) -> None:
        """Ask the process to stop, as a worker does."""
        os.kill(self.pid, signal.SIGTERM)

    def close_requests(self) -> None:
        """End its stdin, as the death of a worker does."""
        self._requests.close()

    def send(self, request: dict[str, Any] | bytes) -> None:
        """Write one request."""
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self._requests.write(line + b"\n")
        self._requests.flush()

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the process closed the stream."""
        line = self._messages.readline()
        if not line:
            return None
        self.messages.append(json.loads(line))
        return self.messages[-1]

    def until(self, *types: str, timeout_seconds: float = 60) -> dict[str, Any] | None:
        """Read messages up to one of the named types; None when the process ended first."""
        watchdog = threading.Timer(timeout_seconds, os.kill, (self.pid, signal.SIGKILL))
        watchdog.start()
        try:
            while (message := self.receive()) is not None:
                if message["type"] in types:
                    return message
            return None
        finally:
            watchdog.cancel()

    def run(self, request: dict[str, Any] | bytes) -> dict[str, Any] | None:
        """Send a request and return its `result` or `error`; None when the process died."""
        self.send(request)
        return self.until("result", "error")

    def named(self, kind: str) -> list[str]:
        """Names of the notices, or phases of the progress, that came so far."""
        field = {"notice": "name", "progress": "phase"}[kind]
        return [message[field] for message in self.messages if message["type"] == kind]

    def exit_code(self) -> int:
        """Wait for the end; -9 means killed."""
        if self._status is None:
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _become_model_process(requests: int, messages: int, *, faults: str, log: Path) -> None:
    """Take the place of a freshly started model process; never returns."""
    code = 70
    try:
        os.setsid()
        stderr = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        # pytest may have put anything on the low descriptors: move ours away before placing them.
        moved = [os.dup(descriptor) for descriptor in (requests, stderr, messages)]
        high = [os.dup2(descriptor, 100 + place) for place, descriptor in enumerate(moved)]
        for descriptor, place in zip(high, (0, 2, 3), strict=True):
            os.dup2(descriptor, place)
        os.closerange(4, 256)
        os.environ["STICFLOW_FAULTS"] = faults
        sys.stdin = open(0)
        sys.stderr = open(2, "w")
        from sticflow_ml.__main__ import main

        code = main()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    # For reading along: model_process.py REQUEST.json
    started = time.monotonic()
    with ModelProcess.start(log=Path("/dev/stderr")) as process:
        process.send(json.loads(Path(sys.argv[1]).read_text()))
        while (received := process.receive()) is not None:
            sys.stdout.write(f"{time.monotonic() - started:7.2f} {json.dumps(received)}\n")
            if received["type"] in ("result", "error"):
                break
