"""How the process lives and dies: requests on stdin, EOF ends it, SIGTERM asks it to stop.

A thread blocks on stdin, so that the owner's death is noticed while a forward pass runs. Started
by `__main__`; everything else only asks `stop_requested`.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator

from sticflow_ml.errors import EXIT_STOPPED, Stopped

PR_SET_PDEATHSIG = 1


class Lifeline:
    """Requests as they come in, and whether to stop."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._stop = threading.Event()

    def start(self) -> None:
        """Tie this process to its owner; call once, from the main thread, before slow imports."""
        if sys.platform == "linux":
            # For the owner that is killed while a child of its own still holds our stdin open.
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, lambda _signal, _frame: self._request_stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to translate
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def requests(self) -> Iterator[bytes]:
        """Yield the lines of stdin one after another; ends when asked to stop while idle."""
        while True:
            self._is_idle.set()
            line = self._lines.get()
            self._is_idle.clear()
            if line is None or self._stop.is_set():
                return
            yield line

    @property
    def stop_requested(self) -> bool:
        """True after SIGTERM."""
        return self._stop.is_set()

    def raise_if_stopped(self) -> None:
        """Leave the work at a place where nothing is lost.

        Raises:
            Stopped: SIGTERM came.
        """
        if self._stop.is_set():
            raise Stopped

    def _request_stop(self) -> None:
        self._stop.set()
        self._lines.put(None)

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            if line.strip():
                self._lines.put(line)
        if self._is_idle.is_set() and self._lines.empty():
            os._exit(0)
        end_group()


def end_group() -> None:
    """End this process and whatever it started, at once: nobody is left to hear a result."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(EXIT_STOPPED)
