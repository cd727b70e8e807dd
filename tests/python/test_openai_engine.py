"""`generate` by an OpenAI-compatible endpoint: a real process asks a real server over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from endpoint import endpoint
from openai_shards import NUM_ROWS, facts, request_builder, rows, run, texts
from tiny_requests import output_hashes


@pytest.fixture
def request_for(pictures: Path, tmp_path: Path):
    return request_builder(pictures, tmp_path)


def test_every_request_gets_its_record_in_order(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path) as server:
        request = request_for(server)

        result = run(request)

    assert result["type"] == "result", result
    assert result["num_records"] == NUM_ROWS
    records = texts(request)
    assert [record["request_id"] for record in records] == [f"row-{n}" for n in range(NUM_ROWS)]
    assert {record["finish_reason"] for record in records} == {"stop", "length"}
    for record in records:
        assert record["text"] == record["text"].strip() != ""
        assert record["num_tokens"] == len(record["text"].split())
        assert (record["finish_reason"] == "length") <= (record["num_tokens"] == 6)


def test_the_result_names_endpoint_model_and_what_the_endpoint_decides(
    request_for, tmp_path: Path
) -> None:
    with endpoint(tmp_path) as server:
        request = request_for(server)
        run(request)

    written = facts(request)
    assert written["engine"] == "openai"
    assert written["endpoint"] == server.base_url
    assert written["asked_model"] == "base"
    assert [deviation["name"] for deviation in written["deviations"]] == ["endpoint_decides"]


def test_prompts_of_an_image_are_asked_one_after_the_other(request_for, tmp_path: Path) -> None:
    lines = rows()
    mixed = [lines[place] for place in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
    with endpoint(tmp_path) as server:
        run(request_for(server, lines=mixed, client={"max_concurrency": 1}))

    assert server.prompts("answer") == [f"question {n}" for n in (0, 1, 2, 3, 4, 5, 6, 7, 8)]


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_texts_do_not_depend_on_concurrency(
    request_for, tmp_path: Path, temperature: float
) -> None:
    lines = rows(temperature=temperature)
    with endpoint(tmp_path, "--delay", "0.02") as server:
        alone = request_for(server, lines=lines, client={"max_concurrency": 1})
        together = request_for(server, lines=lines, client={"max_concurrency": 8})
        run(alone)
        assert max(arrival["under_way"] for arrival in server.events("arrival")) == 1
        run(together)

    assert 1 < max(arrival["under_way"] for arrival in server.events("arrival")) <= 8
    assert output_hashes(Path(alone["work_dir"])) == output_hashes(Path(together["work_dir"]))


def test_the_seed_of_a_request_is_sent(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path) as server:
        run(request_for(server))

    seeds = {arrival["prompt"]: arrival["seed"] for arrival in server.events("arrival")}
    assert seeds == {f"question {n}": 1000 + n for n in range(NUM_ROWS)}
