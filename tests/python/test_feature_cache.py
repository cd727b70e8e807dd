"""Features of images on disk: the same bytes with and without, and never a wrong one."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from peft import LoraConfig, get_peft_model
from tiny_models import FAMILIES
from tiny_requests import output_hashes, work_request
from training_parts import Messages, preference_request

from sticflow_ml import contract
from sticflow_ml.contract import AdapterSpec, ImageFile, ImageRoots, ModelSpec
from sticflow_ml.feature_cache import FeatureCache
from sticflow_ml.model import LoadedModel, load_model
from sticflow_ml.protocol import Reporter
from sticflow_ml.warm_policy import WarmPolicy

PLENTY = 2**30
NUM_PICTURES = 6


def _spec(checkpoint: Path, **changes: Any) -> ModelSpec:
    return ModelSpec(**{**work_request("generate", checkpoint, checkpoint)["model"], **changes})


class Tower:
    """A real vision tower that counts how often it runs."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self.num_runs = 0

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        self.num_runs += 1
        return self._loaded.encode_image(inputs)


@pytest.fixture
def loaded(checkpoints: dict[str, Path]) -> LoadedModel:
    return load_model(_spec(checkpoints["llava"]), Reporter(Messages(), "r"))


@pytest.fixture
def all_inputs(loaded: LoadedModel, pictures: Path) -> list[dict[str, torch.Tensor]]:
    images = loaded.images(ImageRoots(images=str(pictures), corrupted=None))
    files = [ImageFile(root="images", file=f"{number}.png") for number in range(NUM_PICTURES)]
    return [images.get(file, encoded=False).inputs for file in files]


def _cache(folder: Path, loaded: LoadedModel, max_bytes: int = PLENTY, **spec: Any) -> FeatureCache:
    return FeatureCache(folder, max_bytes, loaded.spec.model_copy(update=spec), torch.device("cpu"))


def test_a_second_process_reads_what_the_first_has_made(loaded, all_inputs, tmp_path) -> None:
    first, second = Tower(loaded), Tower(loaded)
    made = [_cache(tmp_path, loaded).around(first)(inputs) for inputs in all_inputs]

    read = [_cache(tmp_path, loaded).around(second)(inputs) for inputs in all_inputs]

    assert (first.num_runs, second.num_runs) == (NUM_PICTURES, 0)
    assert all(torch.equal(one, other) for one, other in zip(made, read, strict=True))


@pytest.mark.parametrize(
    "changed", [{"sha256": "b" * 64}, {"dtype": "bfloat16"}, {"num_threads": 2}]
)
def test_features_of_another_model_or_precision_are_others(
    loaded, all_inputs, tmp_path, changed: dict[str, Any]
) -> None:
    _cache(tmp_path, loaded).around(Tower(loaded))(all_inputs[0])
    tower = Tower(loaded)

    _cache(tmp_path, loaded, **changed).around(tower)(all_inputs[0])

    assert tower.num_runs == 1


@pytest.mark.parametrize("damage", ["torn", "changed", "empty"])
def test_a_damaged_file_is_made_anew(loaded, all_inputs, tmp_path, damage: str) -> None:
    expected = _cache(tmp_path, loaded).around(Tower(loaded))(all_inputs[0])
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    file.write_bytes({"torn": content[:-8], "changed": flipped, "empty": b""}[damage])
    tower, later = Tower(loaded), Tower(loaded)

    again = _cache(tmp_path, loaded).around(tower)(all_inputs[0])
    _cache(tmp_path, loaded).around(later)(all_inputs[0])

    assert torch.equal(again, expected)
    assert (tower.num_runs, later.num_runs) == (1, 0)


def test_the_folder_keeps_to_its_limit_and_what_was_asked_for_lately(
    loaded, all_inputs, tmp_path
) -> None:
    _cache(tmp_path, loaded).around(Tower(loaded))(all_inputs[0])
    [oldest] = tmp_path.iterdir()
    size = oldest.stat().st_size
    # Room for three but for a margin; the first was asked for long ago, but is asked for again below.
    tower = Tower(loaded)
    encode = _cache(tmp_path, loaded, 3 * size).around(tower)
    os.utime(oldest, (1, 1))
    left_behind = tmp_path / ".of-a-killed-process.tmp"
    left_behind.write_bytes(b"half")
    os.utime(left_behind, (1, 1))

    for inputs in [all_inputs[0], *all_inputs[1:]]:
        encode(all_inputs[0])
        encode(inputs)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 3 * size

    # Each once, the first not even that: it was asked for before every other.
    assert tower.num_runs == NUM_PICTURES - 1
    assert not left_behind.exists()


def test_a_disk_that_is_nearly_full_is_left_to_the_run(
    loaded, all_inputs, tmp_path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))

    _cache(tmp_path, loaded).around(Tower(loaded))(all_inputs[0])

    assert list(tmp_path.iterdir()) == []
    assert "less than 1 GiB is free" in caplog.text


def test_several_at_once_make_and_delete_without_harm(loaded, all_inputs, tmp_path) -> None:
    size = len(all_inputs) * 100
    failures: list[BaseException] = []

    def work() -> None:
        encode = _cache(tmp_path, loaded, size).around(Tower(loaded))
        try:
            for inputs in all_inputs * 3:
                assert torch.equal(encode(inputs), loaded.encode_image(inputs))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_folder_that_cannot_be_written_costs_time_only(
    loaded, all_inputs, tmp_path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    tower = Tower(loaded)
    encode = _cache(blocked / "features", loaded).around(tower)

    features = [encode(all_inputs[0]) for _ in range(2)]

    assert torch.equal(*features)
    assert tower.num_runs == 2
    assert "results are the same" in caplog.text


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_training_has_the_same_bytes_without_a_cache_with_one_and_with_a_warm_one(
    family: str, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    results = []
    with ModelProcess.fork() as process:
        for name, cache in (("none", None), ("cold", tmp_path / "c"), ("warm", tmp_path / "c")):
            request = preference_request(
                checkpoints[family], pictures, tmp_path / name, num_pairs=3
            )
            if cache is not None:
                wanted = {"path": str(cache), "max_bytes": PLENTY}
                request["model"] = {**request["model"], "feature_cache": wanted}
            result = process.run(request)
            assert result is not None
            assert result["type"] == "result", result
            results.append(output_hashes(Path(request["work_dir"])))

    assert results[0] == results[1] == results[2]
    assert len(list((tmp_path / "c").glob("*.safetensors"))) > 0


def test_a_tower_in_training_mode_has_no_dropout(loaded, all_inputs) -> None:
    for module in loaded.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.5
    expected = loaded.encode_image(all_inputs[0])

    loaded.model.train()
    in_training = loaded.encode_image(all_inputs[0])

    assert torch.equal(in_training, expected)
    assert loaded.model.training


def test_features_under_an_adapter_on_the_tower_are_not_those_of_the_base(
    loaded, pictures: Path, tmp_path: Path
) -> None:
    wanted = contract.FeatureCache(path=str(tmp_path), max_bytes=PLENTY)
    spec = loaded.spec.model_copy(update={"feature_cache": wanted})
    cached = dataclasses.replace(loaded, spec=spec)
    roots = ImageRoots(images=str(pictures), corrupted=None)

    cached.images(roots, tower="adapted").get(ImageFile(root="images", file="0.png"))
    assert list(tmp_path.iterdir()) == []
    cached.images(roots).get(ImageFile(root="images", file="0.png"))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("layers", "expected"), [("language_model", "base"), ("", "adapted")])
def test_an_adapter_made_elsewhere_may_reach_the_tower(
    checkpoints: dict[str, Path], tmp_path: Path, layers: str, expected: str
) -> None:
    spec = _spec(checkpoints["llava"])
    warm = WarmPolicy()
    loaded = warm.base(spec, Reporter(Messages(), "r"))
    peft = get_peft_model(
        loaded.model,
        LoraConfig(r=2, target_modules=rf".*{layers}.*\.q_proj", task_type="CAUSAL_LM"),
    )
    peft.peft_config["default"].base_model_name_or_path = spec.sha256
    peft.save_pretrained(str(tmp_path))
    warm = WarmPolicy()

    adapter = AdapterSpec(path=str(tmp_path), sha256="c" * 64)
    warm.for_generation(spec, adapter, Reporter(Messages(), "r"))
    assert warm.tower == expected

    warm.for_generation(spec, None, Reporter(Messages(), "r"))
    assert warm.tower == "base"
