"""Run a program that ends with its owner: `python tethered.py PROGRAM ARGUMENT...`.

The owner holds the other end of stdin. When it closes, for whatever reason, also by kill -9, the whole
process group dies: the program and all that it started. Imports nothing of the package.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Start the program in this process group and wait for its end or the owner's."""
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_owner, daemon=True).start()
    code = program.wait()
    # Processes that it left behind are nobody's.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)
    os._exit(code if code >= 0 else 128 - code)


def _end_with_owner() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
