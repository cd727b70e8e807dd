"""Trainings on several hosts: real processes behind real sockets, on two addresses of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from model_process import ModelProcess
from rank_host_process import on_hosts, rank_host, write_key
from rank_runs import (
    LONGEST_START_SECONDS,
    assert_same_training,
    output,
    request_builder,
    run,
    trained,
    with_ranks,
)
from tiny_requests import output_hashes

from sticflow_ml.host_channel import Channel, read_key

SECONDS_TO_NOTICE = 20


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    return request_builder(checkpoints, pictures, tmp_path)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "ranks.key")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "host.log"


def _until(condition, what: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_NOTICE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _refused(request: dict[str, Any]) -> dict[str, Any]:
    error = run(request).messages[-1]
    assert error["type"] == "error", error
    return error


@pytest.mark.slow
def test_two_hosts_make_the_bytes_of_one_host_with_as_many_ranks(
    request_for, key: Path, log: Path
) -> None:
    together, apart, shared = (request_for(name) for name in ("together", "apart", "shared"))
    trained(with_ranks(together, 2))

    with rank_host(key, log) as host:
        trained(on_hosts(apart, 2, key, host.address))
        trained(on_hosts(shared, 2, key, host.address, parallelism="sharded"))
        _until(lambda: not host.children(), "ranks outlive their training")

    hashes = [output_hashes(Path(request["work_dir"])) for request in (together, apart, shared)]
    assert hashes[1] == hashes[0]
    weights = "adapter_model.safetensors"
    assert hashes[2][weights] == hashes[0][weights]
    assert json.loads((output(apart) / "training.json").read_text())["world_size"] == 2


@pytest.mark.slow
def test_the_death_of_a_rank_elsewhere_ends_the_request_and_a_retry_goes_on(
    request_for, key: Path, log: Path
) -> None:
    whole, hurt = request_for("whole"), request_for("hurt")
    trained(with_ranks(whole, 2))

    with rank_host(key, log, faults="rank1.train_preference.step:kill@5") as host:
        error = _refused(on_hosts(hurt, 2, key, host.address))
        assert error["code"] == "RankDied"
        expected = {"rank": 1, "world_size": 2, "exit_code": -signal.SIGKILL, "host": host.address}
        assert error["details"] == expected
        assert error["message"].startswith(f"Host {host.address}: ")
        _until(lambda: not host.children(), "ranks outlive their training")
    with rank_host(key, log) as host:
        process = trained(on_hosts(hurt, 2, key, host.address, attempt=2))

    assert "resumed" in process.named("notice")
    assert output_hashes(Path(hurt["work_dir"])) == output_hashes(Path(whole["work_dir"]))


@pytest.mark.slow
def test_the_death_of_the_first_rank_frees_the_other_host(
    request_for, key: Path, log: Path
) -> None:
    request = request_for("work")
    with rank_host(key, log) as host:
        killed = run(on_hosts(request, 2, key, host.address), "train_preference.step:kill@2")
        assert killed.exit_code() == -signal.SIGKILL
        _until(lambda: not host.children(), "ranks outlive rank 0")

        trained(on_hosts(request, 2, key, host.address, attempt=2))

    alone = request_for("alone")
    trained(alone)
    assert_same_training(request, alone)


@pytest.mark.slow
def test_a_host_that_dies_is_named_and_one_that_comes_back_goes_on(
    request_for, key: Path, log: Path
) -> None:
    request = request_for("work", save_steps=1)
    with rank_host(key, log) as host, ModelProcess.fork() as process:
        process.send(on_hosts(request, 2, key, host.address))
        assert process.until("metric", timeout_seconds=LONGEST_START_SECONDS)
        ranks = host.children()
        host.kill()
        error = process.until("result", "error")
        assert error is not None
        assert error["code"] == "RankDied"
        assert error["details"]["host"] == host.address
        assert process.exit_code() == 1
    for rank in ranks:
        _until(
            lambda rank=rank: not Path(f"/proc/{rank}").exists(), f"rank {rank} outlives its host"
        )

    with rank_host(key, log) as host:
        trained(on_hosts(request, 2, key, host.address, attempt=2))

    whole = request_for("whole", save_steps=1)
    trained(with_ranks(whole, 2))
    assert output_hashes(Path(request["work_dir"])) == output_hashes(Path(whole["work_dir"]))


@pytest.mark.slow
def test_hosts_stop_after_the_same_step_when_the_first_is_asked_to(
    request_for, key: Path, log: Path
) -> None:
    stopped = request_for("stopped", save_steps=100)
    with rank_host(key, log) as host:
        with ModelProcess.fork() as process:
            process.send(on_hosts(stopped, 2, key, host.address))
            process.until("metric", timeout_seconds=LONGEST_START_SECONDS)
            os.killpg(process.pid, signal.SIGTERM)  # as a worker does; the other host gets none
            process.until("result", "error")
            assert process.exit_code() == 75
        assert len(list((Path(stopped["work_dir"]) / "checkpoints").iterdir())) == 1
        process = trained(on_hosts(stopped, 2, key, host.address, attempt=2))

    assert "resumed" in process.named("notice")
    whole = request_for("whole", save_steps=100)
    trained(with_ranks(whole, 2))
    assert output_hashes(Path(stopped["work_dir"])) == output_hashes(Path(whole["work_dir"]))


def test_ranks_that_cannot_be_shared_evenly_are_refused(request_for, key: Path) -> None:
    error = _refused(on_hosts(request_for("work"), 3, key, "127.0.0.2:1"))

    assert error["code"] == "ConfigInvalid"
    assert "multiple" in error["message"]


@pytest.mark.slow
def test_a_host_trains_one_thing_at_a_time(request_for, key: Path, log: Path) -> None:
    stall = "train_preference.step:stall@1"
    with rank_host(key, log) as host, ModelProcess.fork(faults=stall) as first:
        first.send(on_hosts(request_for("first"), 2, key, host.address))
        _until(host.children, "the first training gets no rank")

        error = _refused(on_hosts(request_for("second"), 2, key, host.address))

        assert error["code"] == "RankHostUnavailable"
        assert error["details"]["host"] == host.address


def test_a_host_that_is_not_there_is_asked_again_later(request_for, key: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as free:
        port = free.getsockname()[1]

    error = _refused(on_hosts(request_for("work"), 2, key, f"127.0.0.2:{port}"))

    assert error["code"] == "RankHostUnavailable"
    assert f"127.0.0.2:{port}" in error["message"]


def test_nobody_is_told_anything_without_the_key(
    request_for, key: Path, log: Path, tmp_path: Path
) -> None:
    other = write_key(tmp_path / "other.key")
    with rank_host(key, log) as host:
        address, _, port = host.address.rpartition(":")
        for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 3000 + b"\n", b""):
            with socket.create_connection((address, int(port)), timeout=5) as stranger:
                stranger.sendall(greeting)
                stranger.shutdown(socket.SHUT_WR)
                said = b""
                while more := stranger.recv(4096):
                    said += more
            # A challenge and a signed hello: nothing about this host.
            assert said.count(b"\n") <= 2

        error = _refused(on_hosts(request_for("work"), 2, other, host.address))

        assert error["code"] == "ConfigInvalid"
        assert "key of this workspace" in error["message"]
        assert host.children() == []
    assert "was refused" in log.read_text()


def test_an_impostor_hears_no_request(request_for, key: Path) -> None:
    heard = bytearray()
    with socket.create_server(("127.0.0.2", 0)) as impostor:
        address = "{}:{}".format(*impostor.getsockname())
        with ModelProcess.fork() as process:
            process.send(on_hosts(request_for("work"), 2, key, address))
            connection, _ = impostor.accept()
            with connection:
                connection.sendall(b"0" * 32 + b"\n" + b"f" * 64 + b' {"hello": "host"}\n')
                connection.settimeout(SECONDS_TO_NOTICE)
                while more := connection.recv(4096):
                    heard += more
            error = process.until("result", "error")

    assert error is not None
    assert error["code"] == "ConfigInvalid"
    assert b"work_dir" not in heard


def test_files_that_are_not_there_are_named_before_anything_starts(
    request_for, key: Path, log: Path, tmp_path: Path
) -> None:
    with rank_host(key, log) as host:
        address, _, port = host.address.rpartition(":")
        from sticflow_ml.rank_hosts import library_versions

        with socket.create_connection((address, int(port))) as connection:
            channel = Channel.greet(connection, read_key(key), "caller")
            request = {**request_for("work"), "pairs_path": str(tmp_path / "elsewhere.jsonl")}
            call = {"size": 2, "device": "cpu", "request": request}
            message = {"call": call, "first": 1, "number": 1, "versions": library_versions()}
            channel.send(message)
            missing = channel.read()
        with socket.create_connection((address, int(port))) as connection:
            channel = Channel.greet(connection, read_key(key), "caller")
            call = {"size": 2, "device": "cpu", "request": request_for("other")}
            channel.send({**message, "call": call, "versions": {"torch": "0.4.0"}})
            older = channel.read()
        assert host.children() == []

    assert missing["code"] == older["code"] == "ConfigInvalid"
    assert "elsewhere.jsonl" in missing["message"]
    assert "0.4.0" in older["message"]
