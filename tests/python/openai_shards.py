"""Shards that an OpenAI-compatible endpoint writes: requests to it, and what came of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from endpoint import Endpoint, openai_engine, tokenizer_folder
from model_process import ModelProcess
from tiny_requests import generation_rows, read_lines, work_request, write_lines

NUM_ROWS = 12


def rows(count: int = NUM_ROWS, **changes: Any) -> list[dict[str, Any]]:
    """Requests whose prompts tell them apart; three an image."""
    return [
        {**row, "prompt": f"question {number}"}
        for number, row in enumerate(generation_rows(count, max_new_tokens=6, **changes))
    ]


def request_builder(pictures: Path, folder: Path):
    """What builds requests, each with a work folder of its own below `folder`."""
    names = itertools.count()

    def build(server: Endpoint, *, lines=None, adapter=None, **engine: Any) -> dict[str, Any]:
        name = f"work-{next(names)}"
        return work_request(
            "generate",
            tokenizer_folder(folder / "checkpoint"),
            folder / name,
            requests_path=str(write_lines(folder / f"{name}.jsonl", lines or rows())),
            image_roots={"images": str(pictures), "corrupted": None},
            batch_size=2,
            adapter=adapter,
            engine=openai_engine(server, **engine),
        )

    return build


def run(request: dict[str, Any], log: Path = Path("/dev/null")) -> dict[str, Any]:
    """Result or error of a request in a process of its own."""
    with ModelProcess.start(log=log) as process:
        answer = process.run(request)
        assert answer is not None
        return answer


def texts(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of a finished shard."""
    return read_lines(Path(request["work_dir"]) / "output" / "generations.jsonl")


def facts(request: dict[str, Any]) -> dict[str, Any]:
    """generation.json of a finished shard."""
    return json.loads((Path(request["work_dir"]) / "output" / "generation.json").read_text())
