"""The folder that survives attempts: locked while in use, fenced by attempt, written atomically."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sticflow_ml.errors import SticflowError

SECONDS_BETWEEN_LOCK_TRIES = 0.1


@contextlib.contextmanager
def locked(
    work_dir: Path, *, attempt: int, timeout_seconds: float, on_wait: Callable[[], None]
) -> Iterator[None]:
    """Hold the folder for one attempt; the kernel lets go when this process dies.

    `.lock` also remembers the newest attempt: after a lost worker the server may have started
    attempt 2 while attempt 1 still runs somewhere, and attempt 1 must not come back later.

    Raises:
        SticflowError: `LockHeld` when another process holds the folder after `timeout_seconds`,
            or a newer attempt has worked here.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(work_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, work_dir, timeout_seconds, on_wait)
        holder = _read_holder(descriptor)
        if attempt < holder.get("attempt", 0):
            raise SticflowError(
                "LockHeld",
                f"Expected attempt {holder['attempt']} or later in this work folder, got attempt "
                f"{attempt}: a newer attempt has taken over. Nothing is to be done.",
                attempt=attempt,
                newest_attempt=holder["attempt"],
            )
        content = json.dumps({"attempt": attempt, "pid": os.getpid()}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(
    descriptor: int, work_dir: Path, timeout_seconds: float, on_wait: Callable[[], None]
) -> None:
    deadline = time.monotonic() + timeout_seconds
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not told:
                on_wait()
                told = True
        if time.monotonic() >= deadline:
            holder = _read_holder(descriptor)
            raise SticflowError(
                "LockHeld",
                f"Expected the work folder {work_dir.name} to be free within {timeout_seconds:g} "
                f"seconds, but attempt {holder.get('attempt', '?')} (process "
                f"{holder.get('pid', '?')}) still holds it. It is tried again.",
                **holder,
            )
        time.sleep(SECONDS_BETWEEN_LOCK_TRIES)


def _read_holder(descriptor: int) -> dict[str, Any]:
    content = os.pread(descriptor, 4096, 0)
    try:
        return json.loads(content)
    except ValueError:  # never written, or cut by a crash: then nobody holds a claim
        return {}


def sync_file(path: Path) -> None:
    """Make the bytes of a file survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    sync_file(path)


def sha256_of_file(path: Path) -> str:
    """Hash the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hash a JSON value in its canonical form: sorted keys, no spaces."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that never stands half-written under its name."""
    replace_file(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def replace_file(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    temporary = path.with_name(f".{path.name}.tmp")
    with out_of_space_named(path):
        temporary.write_text(text, encoding="utf-8")
        sync_file(temporary)
        temporary.rename(path)
        sync_directory(path.parent)


def fill_directory(final: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a folder that appears under its name only when it is complete and on disk.

    An older folder of that name is replaced.
    """
    temporary = final.with_name(f".{final.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with out_of_space_named(final):
        temporary.mkdir(parents=True)
        fill(temporary)
        for path in sorted(temporary.iterdir()):
            sync_file(path)
        sync_directory(temporary)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        sync_directory(final.parent)


@contextlib.contextmanager
def out_of_space_named(path: Path) -> Iterator[None]:
    """Turn ENOSPC into a failure that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SticflowError(
            "DiskFull",
            f"Expected room to write {path.name}, but the disk is full. Free some space; the "
            "work goes on where it stopped.",
            file=path.name,
        ) from error


def read_json(path: Path) -> Any:
    """Read a JSON file of our own; a missing or broken one is a defect."""
    return json.loads(path.read_text(encoding="utf-8"))
