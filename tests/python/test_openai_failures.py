"""An endpoint that fails, is slow or refuses: what a shard makes of it, and what it asks again."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from endpoint import endpoint
from model_process import ModelProcess
from openai_shards import NUM_ROWS, facts, request_builder, rows, run, texts
from tiny_requests import output_hashes, read_lines


@pytest.fixture
def request_for(pictures: Path, tmp_path: Path):
    return request_builder(pictures, tmp_path)


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
