"""Starts `tests/fixtures/openai_server.py`, and requests that are sent to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).parents[1] / "fixtures" / "openai_server.py"
CLIENT = {
    "max_concurrency": 4, "request_timeout_seconds": 5, "max_retries": 6,
    "retry_delay_seconds": 0.01, "max_requests_per_minute": None,
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """A running server."""

    base_url: str
    journal_file: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it did so far, of one kind."""
        if not self.journal_file.exists():
            return []
        entries = [json.loads(line) for line in self.journal_file.read_text().splitlines()]
        return [entry for entry in entries if entry["event"] == name]

    def prompts(self, name: str) -> list[str]:
        """Prompts of the arrivals or answers so far, in order."""
        return [entry["prompt"] for entry in self.events(name)]


@contextlib.contextmanager
def endpoint(folder: Path, *arguments: str) -> Iterator[Endpoint]:
    """Run a server that serves `base` unless told otherwise; its journal is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "journal.jsonl"
    models = () if "--model" in arguments else ("--model", "base")
    command = [sys.executable, str(SERVER), "--journal", str(journal), *models, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield Endpoint(f"http://127.0.0.1:{port}/v1", journal)
        finally:
            process.kill()


def openai_engine(server: Endpoint, **changes: Any) -> dict[str, Any]:
    """The engine of a request; `client` may name some of its fields."""
    client = {**CLIENT, **changes.pop("client", {})}
    return {
        "name": "openai", "base_url": server.base_url, "model": "base", "adapter_model": None,
        "load_adapters": False, "adapter_canary": True, "reported_model": None, "api_key": None,
        "on_refusal": "fail", "client": client, **changes,
    }  # fmt: skip


def tokenizer_folder(folder: Path) -> Path:
    """As much of a checkpoint as an endpoint's shard looks at."""
    folder.mkdir(exist_ok=True)
    tokens = [{"content": token} for token in ("<image>", "</s>", "<im")]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))
    return folder
