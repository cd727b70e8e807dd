"""`generate` by an OpenAI-compatible endpoint: a real process asks a real server over HTTP."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from endpoint import Endpoint, endpoint, openai_engine, tokenizer_folder
from model_process import ModelProcess
from tiny_requests import generation_rows, output_hashes, read_lines, work_request, write_lines

NUM_ROWS = 12
KEY = "sk-canary-4711"


def rows(count: int = NUM_ROWS, **changes: Any) -> list[dict[str, Any]]:
    """Requests whose prompts tell them apart; three an image."""
    return [
        {**row, "prompt": f"question {number}"}
        for number, row in enumerate(generation_rows(count, max_new_tokens=6, **changes))
    ]


@pytest.fixture
def request_for(pictures: Path, tmp_path: Path):
    """Build a request; `name` is its work folder."""
    names = itertools.count()

    def build(server: Endpoint, *, lines=None, adapter=None, **engine: Any) -> dict[str, Any]:
        name = f"work-{next(names)}"
        return work_request(
            "generate",
            tokenizer_folder(tmp_path / "checkpoint"),
            tmp_path / name,
            requests_path=str(write_lines(tmp_path / f"{name}.jsonl", lines or rows())),
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
    return read_lines(Path(request["work_dir"]) / "output" / "generations.jsonl")


def facts(request: dict[str, Any]) -> dict[str, Any]:
    return json.loads((Path(request["work_dir"]) / "output" / "generation.json").read_text())


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


def test_texts_are_the_same_whatever_goes_wrong_on_the_way(request_for, tmp_path: Path) -> None:
    kinds = ["429", "500", "503", "drop", "garbage", "empty", "hang"]
    faults = [f"--fault={kind}@{2 * place + 1}" for place, kind in enumerate(kinds)]
    with endpoint(tmp_path / "calm") as server:
        calm = request_for(server)
        run(calm)
    with endpoint(tmp_path / "rough", *faults) as server:
        rough = request_for(server, client={"request_timeout_seconds": 1})
        result = run(rough)

    assert result["type"] == "result", result
    struck = [arrival["fault"] for arrival in server.events("arrival") if arrival["fault"]]
    assert sorted(struck) == sorted(kinds)
    assert texts(rough) == texts(calm)


def test_a_pause_that_the_endpoint_asks_for_holds_back_everybody(
    request_for, tmp_path: Path
) -> None:
    with endpoint(tmp_path, "--fault=429@1") as server:
        run(request_for(server, client={"max_concurrency": 2}))

    times = [arrival["at"] for arrival in server.events("arrival")]
    # The backoff alone would be over in 10 ms; the answer asks for a second. The other request of
    # the two may have been on its way already, with the one that follows it.
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) > 0.8
    assert times[-1] - times[0] > 1


@pytest.mark.parametrize("place", [1, 4, 11])
def test_a_shard_killed_anywhere_ends_with_the_same_bytes_and_asks_nothing_twice(
    request_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    with endpoint(tmp_path) as server:
        whole, killed = request_for(server), request_for(server)
        run(whole)
        monkeypatch.setenv("STICFLOW_FAULTS", f"generate.text:kill@{place}")
        with ModelProcess.start() as process:
            assert process.run(killed) is None
        partial = Path(killed["work_dir"]) / "generations.partial.jsonl"
        kept = {line["generation"]["request_id"] for line in read_lines(partial)}
        before = len(server.events("arrival"))

        result = run({**killed, "attempt": 2})

    assert result["type"] == "result", result
    assert len(kept) == place - 1
    again = {prompt.replace("question ", "row-") for prompt in server.prompts("arrival")[before:]}
    assert again == {f"row-{n}" for n in range(NUM_ROWS)} - kept
    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))


def test_a_finished_shard_is_answered_without_the_endpoint(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path) as server:
        request = request_for(server)
        run(request)

    assert run({**request, "attempt": 2})["type"] == "result"


def test_stopping_keeps_finished_texts(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path, "--fault=hang@3") as server:
        request = request_for(server, client={"max_concurrency": 1})
        with ModelProcess.start() as process:
            process.send(request)
            while len(server.events("arrival")) < 3:
                os.sched_yield()
            process.terminate()
            assert process.exit_code() == 75

    partial = Path(request["work_dir"]) / "generations.partial.jsonl"
    assert len(read_lines(partial)) == 2


def test_an_endpoint_that_keeps_failing_is_tried_again_later(request_for, tmp_path: Path) -> None:
    faults = [f"--fault=500@{number}" for number in range(1, 9)]
    with endpoint(tmp_path, *faults) as server:
        error = run(request_for(server, client={"max_retries": 2, "max_concurrency": 1}))

    assert error["code"] == "EndpointUnavailable"
    assert "after 3 attempts" in error["message"]
    assert "an engine died" in error["message"]


def test_nobody_waits_an_hour_for_an_endpoint(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path, "--fault=busy@1") as server:
        error = run(request_for(server))

    assert error["code"] == "EndpointUnavailable"
    assert "3600 seconds" in error["message"]


def test_an_endpoint_that_is_not_there_is_named(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path) as server:
        request = request_for(server, client={"max_retries": 1})

    error = run(request)

    assert error["code"] == "EndpointUnavailable"
    assert server.base_url in error["message"]


def test_a_model_that_is_not_served_is_refused_before_any_text(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path) as server:
        error = run(request_for(server, model="llava"))
        assert server.events("arrival") == []

    assert error["code"] == "EndpointInvalid"
    assert "`llava`" in error["message"]
    assert "it serves: base" in error["message"]


def test_an_answer_of_another_model_is_refused(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path, "--fault=wrong_model@1") as server:
        error = run(request_for(server))

    assert error["code"] == "EndpointInvalid"
    assert "`wrong`" in error["message"]


def test_a_refused_text_ends_the_shard(request_for, tmp_path: Path) -> None:
    with endpoint(tmp_path, "--fault=refusal@1") as server:
        error = run(request_for(server, client={"max_concurrency": 1}))

    assert error["code"] == "EndpointInvalid"
    assert error["details"]["request_id"] == "row-0"
    assert "on_refusal" in error["message"]


def test_a_refused_text_is_recorded_as_empty_where_that_is_the_rule(
    request_for, tmp_path: Path
) -> None:
    with endpoint(tmp_path, "--fault=refusal@1") as server:
        request = request_for(server, on_refusal="empty", client={"max_concurrency": 1})
        run(request)

    assert texts(request)[0] == {
        "request_id": "row-0", "text": "", "num_tokens": 0, "finish_reason": "stop",
    }  # fmt: skip
    assert {"name": "refused", "request_id": "row-0"} in facts(request)["deviations"]


def test_control_tokens_in_a_prompt_are_not_sent(request_for, tmp_path: Path) -> None:
    lines = [{**rows(1)[0], "prompt": "What is <image> and </s>?"}]
    with endpoint(tmp_path) as server:
        run(request_for(server, lines=lines))

    assert server.prompts("arrival") == ["What is  and ?"]


def test_a_missing_image_is_named(request_for, tmp_path: Path) -> None:
    lines = rows(1, image={"root": "images", "file": "absent.png"})
    with endpoint(tmp_path) as server:
        error = run(request_for(server, lines=lines))

    assert error["code"] == "DataInvalid"
    assert error["details"]["image"] == "absent.png"


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
