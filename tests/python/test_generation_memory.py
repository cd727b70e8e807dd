"""How many texts are written at once, and what happens where memory does not hold them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from generation_runs import generated, generation_builder, texts
from model_process import ModelProcess
from tiny_requests import output_hashes

from sticflow_ml import devices
from sticflow_ml.devices import device_memory_bytes, free_memory_bytes


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    return generation_builder(checkpoints, pictures, tmp_path)


def test_memory_that_does_not_suffice_halves_the_batch_and_is_recorded(request_for) -> None:
    plain, tight = request_for("plain"), request_for("tight")
    generated(plain)

    process = generated(tight, faults="generate.memory:out_of_memory@2")

    facts = json.loads((Path(tight["work_dir"]) / "output" / "generation.json").read_text())
    assert process.named("notice") == ["batch_halved"]
    assert [deviation["name"] for deviation in facts["deviations"]] == ["batch_halved"]
    assert texts(tight) == texts(plain)


def test_as_many_rows_as_fit_write_the_texts_of_any_number(
    request_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sticflow_ml import generate

    wide, narrow, plain = (
        request_for(name, batch_size=size)
        for name, size in (("wide", "auto"), ("narrow", "auto"), ("plain", 2))
    )
    assert "rows_at_once" in generated(wide).named("notice")
    generated(plain)
    # As on a machine that is full.
    monkeypatch.setattr(generate, "free_memory_bytes", lambda _: 0)
    generated(narrow)

    assert texts(wide) == texts(narrow) == texts(plain)
    assert output_hashes(Path(wide["work_dir"])) == output_hashes(Path(narrow["work_dir"]))


def test_memory_that_never_suffices_is_a_typed_failure(request_for) -> None:
    faults = ",".join(f"generate.memory:out_of_memory@{number}" for number in range(1, 9))
    with ModelProcess.fork(faults=faults) as process:
        error = process.run(request_for("work", batch_size=16))

        assert error is not None
        assert error["code"] == "OutOfMemory"
        assert error["details"]["rows"] == 2
        assert process.exit_code() == 1


def test_what_is_free_is_what_host_and_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, limit, used = (tmp_path / name for name in ("meminfo", "memory.max", "memory.stat"))
    host.write_text("MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\nHugePages_Total: 0\n")
    monkeypatch.setattr(devices, "MEMORY_INFO", host)
    monkeypatch.setattr(devices, "CGROUP_LIMIT", limit)
    monkeypatch.setattr(devices, "CGROUP_STATISTICS", used)
    cpu = torch.device("cpu")

    # No container: what the host says is available.
    assert free_memory_bytes(cpu) == 1000000 * 1024

    # A container of 600 MB: files that the kernel keeps for it are no use of it.
    limit.write_text("600000000\n")
    used.write_text("anon 200000000\nfile 390000000\n")
    assert free_memory_bytes(cpu) == 400000000
    assert device_memory_bytes(cpu) == 600000000
