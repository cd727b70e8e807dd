"""The key of an endpoint: where it may come from, and that no file has it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from endpoint import endpoint
from openai_shards import request_builder, run

KEY = "sk-canary-4711"


@pytest.fixture
def request_for(pictures: Path, tmp_path: Path):
    return request_builder(pictures, tmp_path)


@pytest.mark.parametrize("kind", ["environment", "file"])
def test_the_key_reaches_the_endpoint_and_no_file(
    request_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    secret = tmp_path / "outside" / "key.txt"
    secret.parent.mkdir()
    secret.write_text(f"{KEY}\n")
    monkeypatch.setenv("CANARY_KEY", KEY)
    name = "CANARY_KEY" if kind == "environment" else str(secret)
    with endpoint(tmp_path / "server", "--key", KEY, "--fault=500@1") as server:
        request = request_for(server, api_key={"kind": kind, "name": name})
        answer = run(request, log=tmp_path / "log")

    assert answer["type"] == "result", answer
    secret.unlink()
    assert files_with(tmp_path, KEY) == []


def test_a_wrong_key_is_refused_and_not_repeated(
    request_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", KEY)
    with endpoint(tmp_path, "--key", "another", "--model", "base") as server:
        request = request_for(server, api_key={"kind": "environment", "name": "CANARY_KEY"})
        error = run(request, log=tmp_path / "log")

    assert error["code"] == "EndpointInvalid"
    assert "401" in error["message"]
    assert KEY not in json.dumps(error)
    assert files_with(tmp_path, KEY) == []


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak"])
def test_a_key_that_is_none_is_refused_by_the_name_of_its_place(
    request_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CANARY_KEY", value)
    with endpoint(tmp_path) as server:
        error = run(request_for(server, api_key={"kind": "environment", "name": "CANARY_KEY"}))

    assert error["code"] == "EndpointInvalid"
    assert "CANARY_KEY" in error["message"]
    assert value == "" or value not in error["message"]


def files_with(folder: Path, text: str) -> list[str]:
    """Names of the files below a folder that hold a text."""
    pattern = re.compile(re.escape(text.encode()))
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if pattern.search(path.read_bytes())]
