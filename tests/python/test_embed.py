"""`embed` and `compare_features` on tiny random checkpoints of the real classes."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_process import ModelProcess
from safetensors.numpy import load_file, save_file
from tiny_models import FAMILIES
from tiny_requests import output_hashes, read_lines, work_request, write_lines

NUM_IMAGES = 10


@pytest.fixture
def artifact(pictures: Path, tmp_path: Path) -> Path:
    """An artifact of images, as `ingestImages` leaves it: 20 rows in two groups."""
    folder = tmp_path / "images"
    (folder / "files").mkdir(parents=True)
    rows = []
    for number in range(2 * NUM_IMAGES):
        image_id = hashlib.sha256(str(number).encode()).hexdigest()
        shutil.copy(pictures / f"{number % NUM_IMAGES}.png", folder / "files" / f"{image_id}.png")
        rows.append({
            "image_id": image_id, "source_name": f"{number}.png", "format": "png",
            "width": 96, "height": 96, "notes": [],
        })  # fmt: skip
    write_lines(folder / "images.jsonl", rows)
    return folder


def _request(checkpoint: Path, artifact: Path, work: Path, **changes: Any) -> dict[str, Any]:
    return work_request(
        "embed",
        checkpoint,
        work,
        images_path=str(artifact / "images.jsonl"),
        image_roots={"images": str(artifact), "corrupted": None},
        **{"max_images": None, **changes},
    )


def _embed(request: dict[str, Any], faults: str = "") -> ModelProcess:
    with ModelProcess.fork(faults=faults) as process:
        result = process.run(request)
        assert faults or (result is not None and result["type"] == "result"), result
        return process


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_a_vector_for_every_image(
    family: str, checkpoints: dict[str, Path], artifact: Path, tmp_path: Path
) -> None:
    _embed(_request(checkpoints[family], artifact, tmp_path / "work"))

    features = load_file(tmp_path / "work/output/features.safetensors")["features"]
    ids = [row["image_id"] for row in read_lines(tmp_path / "work/output/embedding.jsonl")]
    assert features.dtype == np.float32
    assert features.shape[0] == 2 * NUM_IMAGES
    assert np.isfinite(features).all()
    assert ids == [row["image_id"] for row in read_lines(artifact / "images.jsonl")]
    # Rows 0 and 10 are the same picture; 0 and 1 are not.
    assert np.array_equal(features[0], features[NUM_IMAGES])
    assert not np.allclose(features[0], features[1])


def test_killed_and_resumed_gives_the_same_bytes(
    checkpoints: dict[str, Path], artifact: Path, tmp_path: Path
) -> None:
    _embed(_request(checkpoints["llava"], artifact, tmp_path / "whole"))
    _embed(_request(checkpoints["llava"], artifact, tmp_path / "cut"), "embed.group:kill@2")

    resumed = _embed(_request(checkpoints["llava"], artifact, tmp_path / "cut", attempt=2))

    assert "resumed" in resumed.named("notice")
    assert output_hashes(tmp_path / "cut") == output_hashes(tmp_path / "whole")


def test_a_limit_takes_images_evenly(
    checkpoints: dict[str, Path], artifact: Path, tmp_path: Path
) -> None:
    _embed(_request(checkpoints["llava"], artifact, tmp_path / "work", max_images=4))

    all_ids = [row["image_id"] for row in read_lines(artifact / "images.jsonl")]
    ids = [row["image_id"] for row in read_lines(tmp_path / "work/output/embedding.jsonl")]
    assert ids == [all_ids[place] for place in (0, 5, 10, 15)]


def _features(folder: Path, values: np.ndarray) -> str:
    folder.mkdir(parents=True)
    save_file({"features": values.astype(np.float32)}, folder / "features.safetensors")
    ids = [hashlib.sha256(f"{folder.name}{row}".encode()).hexdigest() for row in range(len(values))]
    write_lines(folder / "embedding.jsonl", [{"image_id": image_id} for image_id in ids])
    return str(folder)


def _comparison(tmp_path: Path, output: str, **changes: Any) -> dict[str, Any]:
    (tmp_path / output).mkdir()
    return {
        "protocol_version": 1,
        "request_id": "c",
        "command": "compare_features",
        "output_dir": str(tmp_path / output),
        **changes,
    }


def test_sets_are_compared_and_mapped_the_same_way_twice(tmp_path: Path) -> None:
    cloud = np.random.default_rng(1).normal(size=(30, 5))
    sets = {
        "reference": {"name": "unlabelled", "path": _features(tmp_path / "u", cloud)},
        "sets": [
            {"name": "near", "path": _features(tmp_path / "n", cloud[:10] + 0.1)},
            {"name": "far", "path": _features(tmp_path / "f", cloud[:10] + 20)},
        ],
        "projection": {"perplexity": 5, "seed": 3},
    }
    for output in ("one", "two"):
        _embed(_comparison(tmp_path, output, **sets))

    near, far = json.loads((tmp_path / "one/overlaps.json").read_text())
    assert (near["set"], far["set"]) == ("near", "far")
    assert near["frechet"] < far["frechet"]
    assert near["mixing"] > far["mixing"] == 0
    distances = read_lines(tmp_path / "one/distances.jsonl")
    assert [row["set"] for row in distances] == ["near"] * 10 + ["far"] * 10
    assert max(row["distance"] for row in distances[:10]) < distances[10]["distance"]
    points = (tmp_path / "one/points.jsonl").read_bytes()
    assert points == (tmp_path / "two/points.jsonl").read_bytes()
    assert len(points.splitlines()) == 50


def test_features_of_two_towers_are_refused(tmp_path: Path) -> None:
    request = _comparison(
        tmp_path,
        "out",
        reference={"name": "unlabelled", "path": _features(tmp_path / "u", np.ones((3, 5)))},
        sets=[{"name": "test", "path": _features(tmp_path / "t", np.ones((3, 4)))}],
        projection=None,
    )
    with ModelProcess.fork() as process:
        error = process.run(request)

    assert error is not None
    assert error["code"] == "DataInvalid"
    assert "one vision tower" in error["message"]
