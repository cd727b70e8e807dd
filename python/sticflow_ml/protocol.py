"""The stream to the owner: lines of JSON on file descriptor 3, and nothing else on it.

fd 1 is pointed to stderr before any library is imported, so that a stray `print` of a library lands
in the log and cannot soil the stream.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from importlib.metadata import version
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from sticflow_ml.contract import (
    CheckpointMessage,
    ErrorMessage,
    HelloMessage,
    MetricMessage,
    NoticeMessage,
    ProgressMessage,
    ResultMessage,
)
from sticflow_ml.errors import SticflowError

PROTOCOL_VERSION = 1
MESSAGE_FD = 3

Phase = Literal[
    "waiting_for_lock",
    "loading",
    "reference",
    "generating",
    "embedding",
    "projecting",
    "training",
    "saving",
    "downloading",
]
Unit = Literal["items", "steps", "bytes"]

# The watchdog wants to hear of work, not of every token; a batch of short rows is over sooner.
SECONDS_BETWEEN_PROGRESS = 0.5


class MessageStream:
    """Writes whole messages to fd 3; safe to call from any thread."""

    def __init__(self) -> None:
        """Take fd 3 and point fd 1 to stderr.

        Raises:
            OSError: fd 3 is not open, so nobody would hear a message.
        """
        os.fstat(MESSAGE_FD)
        os.set_inheritable(MESSAGE_FD, False)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, message: BaseModel) -> None:
        """Write one message as one line; a closed stream means that the owner is gone."""
        line = memoryview(message.model_dump_json().encode() + b"\n")
        with self._lock:
            while line:
                line = line[os.write(MESSAGE_FD, line) :]

    def hello(self) -> None:
        """Say who speaks, before any request is read. Reads versions without importing torch."""
        packages = ("torch", "transformers", "peft", "accelerate", "safetensors", "pillow")
        versions = {name: version(name) for name in packages}
        versions["python"] = ".".join(str(part) for part in sys.version_info[:3])
        self.send(
            HelloMessage(
                type="hello",
                protocol_version=PROTOCOL_VERSION,
                pid=os.getpid(),
                versions=versions,
            )
        )

    def error(
        self, request_id: str | None, code: str, message: str, details: dict[str, Any]
    ) -> None:
        """Report the failure that ends this process."""
        self.send(_error_message(request_id, code, message, details))


class Sink(Protocol):
    """Takes messages."""

    def send(self, message: BaseModel) -> None:
        """Take one message."""
        ...


class Reporter:
    """The messages about one request."""

    def __init__(self, stream: Sink, request_id: str) -> None:
        self._stream = stream
        self._request_id = request_id
        self._last_progress: tuple[Phase, float] | None = None

    def progress(self, phase: Phase, done: float, total: float, unit: Unit) -> None:
        """Tell that work was really done; at most one message a phase and half a second.

        The last message of a phase (`done == total`) is always sent.
        """
        now = time.monotonic()
        if self._last_progress is not None and done < total:
            last_phase, last_time = self._last_progress
            if phase == last_phase and now - last_time < SECONDS_BETWEEN_PROGRESS:
                return
        self._last_progress = (phase, now)
        self._stream.send(
            ProgressMessage(
                type="progress",
                request_id=self._request_id,
                phase=phase,
                done=float(done),
                total=float(total),
                unit=unit,
            )
        )

    def metric(self, step: int, values: dict[str, float]) -> None:
        """Pass on one line of metrics.jsonl."""
        self._stream.send(
            MetricMessage(type="metric", request_id=self._request_id, step=step, values=values)
        )

    def checkpoint(self, step: int) -> None:
        """Tell that the work up to `step` cannot be lost any more."""
        self._stream.send(
            CheckpointMessage(type="checkpoint", request_id=self._request_id, step=step)
        )

    def notice(self, name: str, detail: str) -> None:
        """Tell what is worth knowing and is no failure."""
        self._stream.send(
            NoticeMessage(
                type="notice", request_id=self._request_id, name=name, detail=detail[:2000]
            )
        )

    def error(self, error: SticflowError) -> None:
        """Close the request with a failure, where no exception can; the caller ends the process."""
        self._stream.send(_error_message(self._request_id, error.code, str(error), error.details))

    def result(self, num_records: int, summary: dict[str, Any]) -> None:
        """Close the request: its files are complete under their final names."""
        self._stream.send(
            ResultMessage(
                type="result",
                request_id=self._request_id,
                num_records=num_records,
                summary=summary,
            )
        )


def _error_message(
    request_id: str | None, code: str, message: str, details: dict[str, Any]
) -> ErrorMessage:
    return ErrorMessage(
        type="error",
        request_id=request_id,
        code=code,
        message=message[:4000],
        details=json.loads(json.dumps(details, default=str)),
    )
