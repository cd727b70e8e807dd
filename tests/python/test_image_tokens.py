"""An image has as many tokens in the prompt as the vision tower makes features of it.

trl issues 5881, 5904 and 5927, LLaMA-Factory issues 9119 and 6911, transformers issue 36002 (575
against 576): a token too few or too many fails deep inside a model, after minutes of loading.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from model_process import ModelProcess
from PIL import Image
from tiny_models import CLIP_336, FAMILIES, build
from tiny_requests import SIZES, generation_rows, work_request, write_lines
from training_parts import Messages

from sticflow_ml.contract import ImageFile, ImageRoots, ModelSpec
from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel, load_model
from sticflow_ml.protocol import Reporter


def _load(folder: Path) -> LoadedModel:
    spec = ModelSpec(
        path=str(folder),
        sha256="a" * 64,
        dtype="float32",
        device="cpu",
        num_threads=1,
        image_backend="pil",
    )
    return load_model(spec, Reporter(Messages(), "r"))  # pyright: ignore[reportArgumentType]


def _counts(loaded: LoadedModel, folder: Path, file: str) -> tuple[int, int]:
    """Image tokens of the prompt, and features of the vision tower."""
    images = loaded.images(ImageRoots(images=str(folder), corrupted=None))
    image = images.get(ImageFile(root="images", file=file))
    ids = loaded.processor.tokenizer(image.replacement, add_special_tokens=False)["input_ids"]
    assert image.features_TD is not None
    return loaded.chat.count_image_tokens(ids), len(image.features_TD)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_shape_has_as_many_tokens_as_features(
    checkpoints: dict[str, Path], pictures: Path, family: str
) -> None:
    loaded = _load(checkpoints[family])

    for number in range(len(SIZES)):
        num_tokens, num_features = _counts(loaded, pictures, f"{number}.png")
        assert num_tokens == num_features, SIZES[number]


# 336 px are 24 patches of 14; LLaVA-NeXT adds one token to each row of what is left of the grid
# after the padding is cut off, behind the 576 of the whole image.
COUNTS = {
    "llava": {(336, 336): 576, (640, 480): 576, (20, 20): 576, (1, 100): 576},
    "llava_next": {
        (336, 336): 576 + 24 * (24 + 1),  # the grid 336x672, half of it padding
        (640, 480): 576 + 36 * (48 + 1),  # 672x672, a quarter of it padding
        (640, 640): 576 + 48 * (48 + 1),
        (20, 20): 576 + 24 * (24 + 1),
    },
}


@pytest.mark.parametrize("family", COUNTS)
def test_images_of_clip_336_have_the_counts_of_the_formula(family: str, tmp_path: Path) -> None:
    loaded = _load(build(family, tmp_path / "model", geometry=CLIP_336))

    for size, expected in COUNTS[family].items():
        Image.new("RGB", size, (90, 120, 30)).save(tmp_path / "picture.png")
        assert _counts(loaded, tmp_path, "picture.png") == (expected, expected), size


def _edited_processor(checkpoint: Path, folder: Path, **fields: object) -> Path:
    """A copy with other fields in processor_config.json; None takes a field away."""
    shutil.copytree(checkpoint, folder)
    file = folder / "processor_config.json"
    content = json.loads(file.read_text()) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    file.write_text(json.dumps(kept))
    return folder


def test_a_class_token_that_nobody_counted_is_named_before_the_language_model_runs(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    folder = _edited_processor(
        checkpoints["llava"], tmp_path / "model", num_additional_image_tokens=0
    )

    with pytest.raises(SticflowError, match="num_additional_image_tokens") as caught:
        _counts(_load(folder), pictures, "0.png")

    assert caught.value.code == "ModelInvalid"
    # 32 pixels are 4 patches of 8.
    assert caught.value.details == {"image": "0.png", "num_tokens": 15, "num_features": 16}


@pytest.mark.parametrize("field", ["patch_size", "vision_feature_select_strategy"])
@pytest.mark.parametrize("family", ["llava", "llava_next"])
def test_a_processor_from_before_these_fields_is_refused_with_what_to_add(
    checkpoints: dict[str, Path], tmp_path: Path, family: str, field: str
) -> None:
    # transformers issues 34447 and 33424, LLaMA-Factory issue 5344
    folder = _edited_processor(checkpoints[family], tmp_path / "model", **{field: None})

    with pytest.raises(SticflowError) as caught:
        _load(folder)

    assert caught.value.code == "ModelInvalid"
    assert field in str(caught.value)
    assert "processor_config.json" in str(caught.value)


def test_an_image_without_its_tokens_is_never_generated_from(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    folder = _edited_processor(
        checkpoints["llava"], tmp_path / "model", num_additional_image_tokens=0
    )
    request = work_request(
        "generate",
        folder,
        tmp_path / "work",
        engine={"name": "hf"},
        requests_path=str(write_lines(tmp_path / "requests.jsonl", generation_rows(2))),
        image_roots={"images": str(pictures), "corrupted": None},
        batch_size=1,
    )

    with ModelProcess.fork() as process:
        error = process.run(request)

    assert error is not None
    assert error["code"] == "ModelInvalid"
