"""Pre-training is deterministic, goes on after an interruption and refuses to overwrite. A few steps of each phase."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch

from sticflow_ml.scenes.pretrain import SMOKE, Pretraining, pretrain, record_folder

SCHEDULE = replace(SMOKE, tower=2, reading=4, grounding=8, num_instructions=4, num_gate_images=2)


def sha256(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _restored_torch():
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrain") / "model"
    return out, pretrain(out, seed=0, threads=1, schedule=SCHEDULE)


def test_the_report_names_the_bytes_and_every_gate(undisturbed):
    out, report = undisturbed

    assert report == json.loads((record_folder(out) / "training.json").read_text())
    assert report["model_sha256"] == sha256(out)
    assert report["num_held_out_images_seen"] == 0
    assert len(report["gates"]) == 5
    assert not out.with_name("model.phases").exists()
    assert {oct(path.stat().st_mode & 0o777) for path in out.iterdir()} == {"0o644"}


def test_interrupted_after_two_phases_it_goes_on_to_the_same_bytes(
    undisturbed, tmp_path, monkeypatch
):
    def interrupted(self, rng):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "_grounding", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain(tmp_path / "model", seed=0, threads=1, schedule=SCHEDULE)
    assert len(list((tmp_path / "model.phases").iterdir())) == 2
    monkeypatch.setattr(Pretraining, "_tower", interrupted)  # must not be run again
    monkeypatch.setattr(Pretraining, "_reading", interrupted)

    report = pretrain(tmp_path / "model", seed=0, threads=1, schedule=SCHEDULE)

    assert report["model_sha256"] == undisturbed[1]["model_sha256"]


def test_a_checkpoint_of_another_seed_is_not_taken(tmp_path):
    work = Pretraining(0, SCHEDULE, tmp_path)
    path = tmp_path / "1-tower.safetensors"
    work._save(path)

    assert work._load(path) is True
    assert Pretraining(1, SCHEDULE, tmp_path)._load(path) is False


def test_an_existing_folder_is_refused(tmp_path):
    with pytest.raises(FileExistsError, match="Expected `--out` to be a new folder"):
        pretrain(tmp_path, seed=0, threads=1, schedule=SCHEDULE)
