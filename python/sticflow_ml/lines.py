"""JSONL: read records strictly, and append them so that a crash costs at most the last group."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sticflow_ml.errors import SticflowError
from sticflow_ml.work_folder import out_of_space_named, sync_directory

Record = TypeVar("Record", bound=BaseModel)


def read_records(path: Path, record: type[Record], *, key: str) -> list[Record]:
    """Read all records of a file; `key` names the field that must be unique.

    Raises:
        SticflowError: `DataInvalid` with file and line of the first mistake.
    """
    records: list[Record] = []
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                item = record.model_validate_json(line)
                identity = getattr(item, key)
                if identity in seen:
                    raise SticflowError(
                        "DataInvalid",
                        f"Expected every {key} once in {path.name}, but line {number} repeats "
                        f"`{identity}`.",
                    )
                seen.add(identity)
                records.append(item)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SticflowError(
            "DataInvalid",
            f"Expected line {len(records) + 1} of {path.name} to be a {record.__name__}, but "
            f"`{place}`: {first['msg']}.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SticflowError(
            "DataInvalid", f"Expected a readable JSONL file {path.name}, got: {error}"
        ) from error
    return records


class PartialLines:
    """A JSONL file that grows by whole groups of lines and survives any crash.

    A group is written with one call and synced. Opening the file again drops a torn line and the
    lines of an incomplete group, so that what follows is the same as if nothing had happened.

    Args:
        path: The file; created when missing.
        group_sizes: Number of lines of each group, in order.
    """

    def __init__(self, path: Path, group_sizes: Sequence[int]) -> None:
        self._path = path
        self._group_sizes = group_sizes
        self.lines: list[dict[str, Any]] = []
        self.num_groups = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        sync_directory(path.parent)
        self._resume()

    def append(self, lines: Iterable[dict[str, Any]]) -> None:
        """Add the next group and make it survive a loss of power."""
        group = list(lines)
        assert len(group) == self._group_sizes[self.num_groups], "a group is written whole"
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in group)
        remaining = memoryview(text.encode())
        with out_of_space_named(self._path):
            while remaining:
                remaining = remaining[os.write(self._descriptor, remaining) :]
            os.fsync(self._descriptor)
        self.lines += group
        self.num_groups += 1

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _resume(self) -> None:
        # Whatever stands behind the last newline was torn by a crash.
        *whole, _torn = self._path.read_bytes().split(b"\n")
        kept_bytes = 0
        for size in self._group_sizes:
            group = whole[len(self.lines) : len(self.lines) + size]
            parsed = [_parse(line) for line in group]
            if len(group) < size or None in parsed:
                break
            self.lines += [line for line in parsed if line is not None]
            self.num_groups += 1
            kept_bytes += sum(len(line) + 1 for line in group)
        os.ftruncate(self._descriptor, kept_bytes)
        os.lseek(self._descriptor, kept_bytes, os.SEEK_SET)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:  # bytes that a crash left behind
        return None
    return value if isinstance(value, dict) else None
