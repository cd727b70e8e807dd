"""`generate` by vLLM: started, proved, asked and ended. The program is a fake with vLLM's command line."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from tiny_requests import (
    LORA,
    generation_rows,
    output_hashes,
    read_lines,
    work_request,
    write_lines,
)
from training_parts import Messages
from vllm_engine_request import engine_for, model_spec

from sticflow_ml.adapter_canary import mean_difference
from sticflow_ml.adapters import fresh_adapter
from sticflow_ml.contract import AdapterSpec, LoraSettings
from sticflow_ml.own_logps import yardstick
from sticflow_ml.protocol import Reporter
from sticflow_ml.warm_policy import WarmPolicy

FAKE = Path(__file__).parents[1] / "fixtures" / "fake_vllm.py"
NUM_ROWS = 4


@pytest.fixture(scope="module")
def adapter(checkpoints: dict[str, Path], tmp_path_factory) -> dict[str, str]:
    """An adapter with an effect, as a training leaves it."""
    folder = tmp_path_factory.mktemp("adapter")
    warm = WarmPolicy()
    loaded = warm.base(model_spec(checkpoints["llava"]), Reporter(Messages(), "r"))
    peft = fresh_adapter(loaded, LoraSettings(**LORA), seed=0)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator()) * 0.5)
    peft.save_pretrained(str(folder))
    return {"path": str(folder), "sha256": "c" * 64}


@pytest.fixture(scope="module")
def table(checkpoints: dict[str, Path], adapter: dict[str, str]) -> dict[str, Any]:
    """What a vLLM that does everything right answers to the canary."""
    own = yardstick(
        model_spec(checkpoints["llava"]), AdapterSpec(**adapter), Reporter(Messages(), "r")
    )
    assert own.logps.adapter is not None
    return {
        "token_ids": own.token_ids,
        # Other kernels round differently.
        "base": [logp + 0.01 for logp in own.logps.base],
        "adapter": [logp - 0.01 for logp in own.logps.adapter],
    }


@pytest.fixture
def environment(tmp_path: Path, table: dict[str, Any]) -> Callable[..., Path]:
    """Make a Python environment with the fake in it; `behaviour` as the fake says."""

    def make(**behaviour: Any) -> Path:
        folder = tmp_path / "environment"
        (folder / "bin").mkdir(parents=True)
        logprobs = folder / "logprobs.json"
        logprobs.write_text(json.dumps(behaviour.pop("table", table)))
        (folder / "behaviour.json").write_text(json.dumps({"logprobs": str(logprobs), **behaviour}))
        program = folder / "bin" / "vllm"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "{folder}" "$@"\n')
        program.chmod(0o755)
        return folder

    return make


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    """Build a request; `engine` changes the engine."""
    names = itertools.count()

    def build(environment: Path, *, adapter=None, **engine: Any) -> dict[str, Any]:
        name = f"work-{next(names)}"
        rows = generation_rows(NUM_ROWS)
        return work_request(
            "generate",
            checkpoints["llava"],
            tmp_path / name,
            requests_path=str(write_lines(tmp_path / f"{name}.jsonl", rows)),
            image_roots={"images": str(pictures), "corrupted": None},
            batch_size=2,
            adapter=adapter,
            engine=engine_for(environment, **engine),
        )

    return build


def journal(environment: Path, event: str) -> list[dict[str, Any]]:
    path = environment / "journal.jsonl"
    entries = read_lines(path) if path.exists() else []
    return [entry for entry in entries if entry["event"] == event]


def facts(request: dict[str, Any]) -> dict[str, Any]:
    return json.loads((Path(request["work_dir"]) / "output" / "generation.json").read_text())


def texts(request: dict[str, Any]) -> list[dict[str, Any]]:
    return read_lines(Path(request["work_dir"]) / "output" / "generations.jsonl")


def generate(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Results or errors of requests to one process."""
    with ModelProcess.fork() as process:
        answers = [process.run(request) for request in requests]
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def all_gone(pids: list[int], timeout_seconds: float = 5) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        os.sched_yield()
    return not any(is_alive(pid) for pid in pids)


def test_base_and_adapter_are_served_by_one_server(
    request_for, environment, adapter: dict[str, str]
) -> None:
    folder = environment()
    base, adapted = request_for(folder), request_for(folder, adapter=adapter)

    answers = generate(base, adapted, request_for(folder))

    assert [answer["type"] for answer in answers] == ["result"] * 3, answers
    assert len(journal(folder, "start")) == 1
    assert [event["name"] for event in journal(folder, "load_adapter")] == ["c" * 64]
    asked = [arrival["model"] for arrival in journal(folder, "arrival")]
    assert asked == ["base"] * NUM_ROWS + ["c" * 64] * NUM_ROWS + ["base"] * NUM_ROWS
    assert texts(adapted) != texts(base)
    # The table is .01 off on either side, and the adapter's effect is what it is.
    assert facts(adapted)["canary"]["base"] == pytest.approx(0.01, abs=1e-4)
    assert facts(adapted)["canary"]["adapter"] == pytest.approx(0.01, abs=1e-4)
    assert facts(adapted)["canary"]["effect"] > 0.1
    assert facts(adapted)["adapter_mode"] == "served"


def test_the_result_says_what_vllm_does_not_promise(request_for, environment) -> None:
    folder = environment()
    request, exact = request_for(folder), request_for(folder, batch_invariant=True)

    generate(request)
    generate(exact)

    names = [
        [deviation["name"] for deviation in facts(each)["deviations"]] for each in (request, exact)
    ]
    assert names == [["image_backend", "batch_variant"], ["image_backend"]]
    assert facts(request)["versions"] == {"vllm": "0.0.test"}
    started = [
        event["environment"].get("VLLM_BATCH_INVARIANT") for event in journal(folder, "start")
    ]
    assert started == [None, "1"]


def test_an_ignored_adapter_is_served_merged_and_that_is_recorded(
    request_for, environment, adapter: dict[str, str]
) -> None:
    folder = environment(ignore_adapters=True)
    request, base = request_for(folder, adapter=adapter), request_for(folder)

    answers = generate(request, base)

    assert [answer["type"] for answer in answers] == ["result"] * 2, answers
    models = [event["arguments"][1] for event in journal(folder, "start")]
    assert [Path(model).name for model in models] == ["llava", "merged", "llava"]
    assert facts(request)["adapter_mode"] == "merged"
    assert {"name": "adapter_merged", "detail": "the canary: adapter_ignored"} in facts(request)[
        "deviations"
    ]
    assert texts(request) != texts(base)


def test_a_merged_checkpoint_is_the_policy(
    checkpoints: dict[str, Path], adapter: dict[str, str], tmp_path: Path
) -> None:
    from sticflow_ml.own_logps import write_merged

    spec = model_spec(checkpoints["llava"])
    write_merged(
        spec, AdapterSpec(**adapter), tmp_path / "merged", reporter=Reporter(Messages(), "r")
    )

    own = yardstick(spec, AdapterSpec(**adapter), Reporter(Messages(), "r"))
    merged = yardstick(
        spec.model_copy(update={"path": str(tmp_path / "merged")}), None, Reporter(Messages(), "r")
    )

    assert own.logps.adapter is not None
    assert mean_difference(own.logps.adapter, merged.logps.base) < 1e-5
    assert mean_difference(own.logps.base, merged.logps.base) > 0.1


def test_an_ignored_adapter_is_an_error_where_that_is_the_rule(
    request_for, environment, adapter: dict[str, str]
) -> None:
    folder = environment(ignore_adapters=True)

    [error] = generate(request_for(folder, adapter=adapter, on_canary_failure="fail"))

    assert error["code"] == "EndpointInvalid"
    assert error["details"]["flaw"] == "adapter_ignored"
    assert journal(folder, "arrival") == []


def test_a_server_with_another_base_writes_no_text(
    request_for, environment, table: dict[str, Any]
) -> None:
    folder = environment(table={**table, "base": [logp - 1 for logp in table["base"]]})

    [error] = generate(request_for(folder))

    assert error["code"] == "EndpointInvalid"
    assert error["details"]["flaw"] == "base_differs"
    assert journal(folder, "arrival") == []


def test_a_server_that_dies_is_reported_with_its_exit_code(request_for, environment) -> None:
    [error] = generate(request_for(environment(dies=True)))

    assert error["code"] == "EndpointUnavailable"
    assert "exit code 7" in error["message"]


def test_a_server_that_is_never_ready_is_ended(request_for, environment) -> None:
    folder = environment(never_ready=True)

    [error] = generate(request_for(folder, startup_timeout_seconds=1))

    assert error["code"] == "EndpointUnavailable"
    assert "startup_timeout_seconds" in error["message"]
    assert all_gone(journal(folder, "start")[0]["pids"])


def test_an_environment_without_vllm_is_named(request_for, tmp_path: Path) -> None:
    [error] = generate(request_for(tmp_path / "empty"))

    assert error["code"] == "EndpointInvalid"
    assert "generation.vllm.environment" in error["message"]


@pytest.mark.parametrize("end", ["kill", "terminate", "close_requests"])
def test_the_server_ends_with_its_owner(request_for, environment, end: str) -> None:
    folder = environment()
    with ModelProcess.fork() as process:
        result = process.run(request_for(folder))
        assert result is not None
        assert result["type"] == "result", result
        pids = journal(folder, "start")[0]["pids"]
        assert all(is_alive(pid) for pid in pids)

        getattr(process, end)()

        assert all_gone(pids)


def test_a_shard_goes_on_after_a_kill(request_for, environment) -> None:
    folder = environment()
    whole, killed = request_for(folder), request_for(folder)
    generate(whole)
    with ModelProcess.fork(faults="generate.text:kill@3") as process:
        assert process.run(killed) is None

    generate({**killed, "attempt": 2})

    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))
