"""Adapters that an endpoint serves, does not serve, or ignores."""

from __future__ import annotations

from pathlib import Path

import pytest
from endpoint import endpoint
from openai_shards import NUM_ROWS, facts, request_builder, run, texts


@pytest.fixture
def request_for(pictures: Path, tmp_path: Path):
    return request_builder(pictures, tmp_path)


@pytest.fixture
def adapter(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    return {"path": str(folder), "sha256": "c" * 64}


def test_an_adapter_is_never_answered_by_the_base(
    request_for, tmp_path: Path, adapter: dict[str, str]
) -> None:
    with endpoint(tmp_path) as server:
        error = run(request_for(server, adapter=adapter))
        assert server.events("arrival") == []

    assert error["code"] == "EndpointInvalid"
    assert "adapter_model is null" in error["message"]


def test_an_adapter_that_is_not_served_is_refused(
    request_for, tmp_path: Path, adapter: dict[str, str]
) -> None:
    with endpoint(tmp_path) as server:
        error = run(request_for(server, adapter=adapter, adapter_model="stic-{sha256}"))

    assert error["code"] == "EndpointInvalid"
    assert f"stic-{'c' * 64}" in error["message"]


def test_an_adapter_is_asked_for_by_its_own_name(
    request_for, tmp_path: Path, adapter: dict[str, str]
) -> None:
    with endpoint(tmp_path) as server:
        base = request_for(server)
        run(base)
        request = request_for(
            server, adapter=adapter, adapter_model="stic-{sha256}", load_adapters=True
        )
        result = run(request)

    assert result["type"] == "result", result
    assert [event["name"] for event in server.events("load_adapter")] == [f"stic-{'c' * 64}"]
    asked = {arrival["model"] for arrival in server.events("arrival")[NUM_ROWS:]}
    assert asked == {f"stic-{'c' * 64}"}
    assert texts(request) != texts(base)
    assert facts(request)["adapter_canary"] == "passed"


def test_an_adapter_that_the_endpoint_ignores_is_found_out(
    request_for, tmp_path: Path, adapter: dict[str, str]
) -> None:
    # vLLM issues 34186 and 48019: keys that match no layer load without an error and an effect
    with endpoint(tmp_path, "--ignore-adapters") as server:
        error = run(
            request_for(server, adapter=adapter, adapter_model="{sha256}", load_adapters=True)
        )
        assert server.events("arrival") == []

    assert error["code"] == "EndpointInvalid"
    assert "ignores it" in error["message"]
