"""Generations on tiny random checkpoints: requests, runs and what they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_process import ModelProcess
from tiny_requests import generation_rows, read_lines, work_request, write_lines

NUM_ROWS = 18


def generation_builder(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    """What builds requests; `name` is their work folder."""

    def build(
        name: str,
        *,
        family: str = "llava",
        rows: list[dict[str, Any]] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        rows = generation_rows(NUM_ROWS) if rows is None else rows
        request = {
            "requests_path": str(write_lines(tmp_path / f"{name}.jsonl", rows)),
            "image_roots": {"images": str(pictures), "corrupted": None},
            "batch_size": 2,
            "engine": {"name": "hf"},
            **changes,
        }
        return work_request("generate", checkpoints[family], tmp_path / name, **request)

    return build


def texts(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines of the result."""
    return read_lines(Path(request["work_dir"]) / "output" / "generations.jsonl")


def generated(*requests: dict[str, Any], faults: str = "") -> ModelProcess:
    """Run requests one after another in one process, each to its result."""
    with ModelProcess.fork(faults=faults) as process:
        for request in requests:
            result = process.run(request)
            assert result is not None
            assert result["type"] == "result", result
        return process
