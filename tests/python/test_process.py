"""How the process greets, dies and stops; none of it needs a model."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from model_process import PYTHON_ROOT, ModelProcess
from tiny_requests import generation_rows, work_request, write_lines


def _request(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, **changes: object):
    rows = generation_rows(6)
    return work_request(
        "generate",
        checkpoints["llava"],
        tmp_path / "work",
        requests_path=str(write_lines(tmp_path / "requests.jsonl", rows)),
        image_roots={"images": str(pictures), "corrupted": None},
        batch_size=3,
        engine={"name": "hf"},
        **changes,
    )


def test_the_greeting_names_protocol_and_versions_before_torch_is_imported() -> None:
    with ModelProcess.start() as process:
        hello = process.until("hello")

        assert hello is not None
        assert hello["protocol_version"] == 1
        assert hello["pid"] == process.pid
        assert {"torch", "transformers", "peft"} <= hello["versions"].keys()
        assert b"libtorch" not in Path(f"/proc/{process.pid}/maps").read_bytes()


def test_an_idle_process_ends_cleanly_when_its_stdin_ends() -> None:
    with ModelProcess.fork() as process:
        process.until("hello")
        process.close_requests()

        assert process.exit_code() == 0


def test_a_working_process_dies_at_once_when_its_stdin_ends(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    with ModelProcess.fork(faults="generate.block:stall@1") as process:
        process.send(_request(checkpoints, pictures, tmp_path))
        process.until("progress")
        started = time.monotonic()
        process.close_requests()

        assert process.exit_code() == -signal.SIGKILL
        assert time.monotonic() - started < 5


def test_an_idle_process_stops_when_asked() -> None:
    with ModelProcess.fork() as process:
        process.until("hello")
        process.terminate()

        assert process.exit_code() == 75


def test_another_protocol_version_is_refused_by_name(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    with ModelProcess.fork() as process:
        error = process.run(_request(checkpoints, pictures, tmp_path) | {"protocol_version": 2})

        assert error is not None
        assert error["code"] == "ProtocolMismatch"
        assert "1" in error["message"]
        assert "2" in error["message"]
        assert process.exit_code() == 1


@pytest.mark.parametrize("line", [b"not json", b"[]", b"{}"])
def test_what_is_no_request_is_answered_and_ends_the_process(line: bytes) -> None:
    with ModelProcess.fork() as process:
        error = process.run(line)

        assert error is not None
        assert error["type"] == "error"
        assert error["request_id"] is None
        assert process.exit_code() == 1


def test_a_field_that_nobody_knows_is_refused_by_name(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    with ModelProcess.fork() as process:
        error = process.run(_request(checkpoints, pictures, tmp_path, batch_sise=3))

        assert error is not None
        assert error["code"] == "Internal"
        assert "batch_sise" in error["message"]


def test_without_a_stream_for_messages_it_says_who_starts_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PYTHON_ROOT)}
    finished = subprocess.run(
        ["bash", "-c", 'exec 3>&-; exec "$0" -m sticflow_ml', sys.executable],
        capture_output=True,
        env=environment,
        check=False,
    )

    assert finished.returncode == 2
    assert b"file descriptor 3" in finished.stderr


def test_what_a_library_prints_cannot_soil_the_messages(tmp_path: Path) -> None:
    log = tmp_path / "stderr.log"
    program = (
        "import os; from sticflow_ml.protocol import MessageStream; stream = MessageStream();"
        "os.write(1, b'printed\\n'); stream.hello()"
    )
    with log.open("wb") as stderr:
        finished = subprocess.run(
            ["bash", "-c", 'exec "$0" -c "$1" 3>&1 1>&2', sys.executable, program],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": str(PYTHON_ROOT)},
            check=True,
        )

    assert [json.loads(line)["type"] for line in finished.stdout.splitlines()] == ["hello"]
    assert log.read_bytes() == b"printed\n"


def test_a_folder_that_another_process_holds_is_reported_after_the_timeout(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with ModelProcess.fork() as process:
            request = _request(checkpoints, pictures, tmp_path, lock_timeout_seconds=0.3)
            error = process.run(request)

            assert error is not None
            assert error["code"] == "LockHeld"
            assert "waiting_for_lock" in process.named("progress")


def test_an_attempt_that_was_overtaken_is_refused(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    with ModelProcess.fork() as process:
        newer = process.run(_request(checkpoints, pictures, tmp_path, attempt=2))
        older = process.run(_request(checkpoints, pictures, tmp_path, attempt=1))

        assert newer is not None
        assert newer["type"] == "result"
        assert older is not None
        assert older["code"] == "LockHeld"
        assert older["details"] == {"attempt": 1, "newest_attempt": 2}
