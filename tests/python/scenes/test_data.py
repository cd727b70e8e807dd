"""The data set's files are complete or absent, the same for the same seed, and in the formats that users have."""

import hashlib
import json
import subprocess
import sys

import pytest
from PIL import Image

from sticflow_ml.scenes import data
from sticflow_ml.scenes.data import DataFolderError, DataSettings, build
from sticflow_ml.scenes.questions import QUESTION_TYPES
from sticflow_ml.scenes.world import sample_scene

SETTINGS = DataSettings(seed=0, num_unlabelled=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "scenes"
    assert build(out, SETTINGS) == "built"
    return out


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_manifest_lists_every_file_with_its_hash(folder):
    files = json.loads((folder / "manifest.json").read_text())["files"]

    on_disk = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert set(files) == on_disk - {"manifest.json"}
    for name, entry in files.items():
        content = (folder / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (
            entry["sha256"],
            entry["bytes"],
        )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(folder, tmp_path):
    build(tmp_path / "again", SETTINGS)
    build(tmp_path / "other", DataSettings(seed=1, num_unlabelled=6))

    manifests = [
        json.loads((path / "manifest.json").read_text())
        for path in (folder, tmp_path / "again", tmp_path / "other")
    ]
    assert manifests[0] == manifests[1]
    hashes = [{entry["sha256"] for entry in manifest["files"].values()} for manifest in manifests]
    assert not hashes[0] & hashes[2]


def test_a_finished_data_set_is_not_written_again(folder):
    before = (folder / "manifest.json").stat().st_mtime_ns

    assert build(folder, SETTINGS) == "already complete"
    assert (folder / "manifest.json").stat().st_mtime_ns == before


def test_a_changed_file_is_named(tmp_path):
    out = tmp_path / "scenes"
    build(out, SETTINGS)
    (out / "truth-dev.jsonl").write_text("")

    with pytest.raises(DataFolderError, match=r"truth-dev\.jsonl as the manifest lists it.*--out"):
        build(out, SETTINGS)


def test_other_settings_and_foreign_folders_are_refused(folder, tmp_path):
    with pytest.raises(DataFolderError, match=r"'images': 7.*got.*'images': 6"):
        build(folder, DataSettings(seed=0, num_unlabelled=7))
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(DataFolderError, match=r"without a readable manifest\.json"):
        build(tmp_path, SETTINGS)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_an_interrupted_build_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    def interrupted(split, index, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "render_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "scenes", SETTINGS)

    assert list(tmp_path.iterdir()) == []


def test_images_are_named_by_split_and_open_as_rgb(folder):
    names = {
        "unlabelled": 6,
        "instructions": data.NUM_INSTRUCTIONS,
        "dev": data.NUM_DEV,
        "test": data.NUM_TEST,
    }
    for split, number in names.items():
        files = sorted((folder / "images" / split).iterdir())
        assert [path.name for path in files] == [f"{index:05d}.png" for index in range(number)]
        with Image.open(files[0]) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (96, 96))


def test_instructions_are_in_llava_conversation_format(folder):
    records = json.loads((folder / "instructions.json").read_text())

    assert len({record["id"] for record in records}) == len(records) == data.NUM_INSTRUCTIONS
    for record in records:
        turns = record["conversations"]
        assert (folder / "images" / record["image"]).is_file()
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * 4
        assert [turn["value"].startswith("<image>\n") for turn in turns] == [True] + [False] * 7


@pytest.mark.parametrize(("split", "number"), [("dev", data.NUM_DEV), ("test", data.NUM_TEST)])
def test_questions_and_truth_belong_to_the_rendered_scenes(folder, split, number):
    questions = lines(folder / f"questions-{split}.jsonl")
    truth = lines(folder / f"truth-{split}.jsonl")

    assert len(questions) == len({row["question_id"] for row in questions}) == 5 * number
    assert {row["question_type"] for row in questions} == set(QUESTION_TYPES)
    assert {row["image"] for row in questions} == {row["image"] for row in truth}
    assert [{key: row[key] for key in ("objects", "background")} for row in truth] == [
        sample_scene(split, index, 0).truth() for index in range(number)
    ]


def test_building_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; import sticflow_ml.scenes.__main__, sticflow_ml.scenes.data"

    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            env={"PYTHONPATH": ":".join(sys.path)},
        ).returncode
        == 0
    )
