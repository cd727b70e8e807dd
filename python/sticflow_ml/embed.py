"""`embed`: features of images as the model's own vision tower sees them, resumable between groups.

An image's features are the mean over its tokens of the tower's last layer, before the projector.
Images are encoded one by one, so the bytes of the result depend on nothing but image and base.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from sticflow_ml.contract import EmbedRequest, ImageFile, ImageRecord
from sticflow_ml.faults import Faults
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import PartialLines, read_records
from sticflow_ml.protocol import Reporter
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.work_folder import fill_directory, read_json, sha256_of_file, write_json

# An interruption costs so many images at most.
IMAGES_IN_A_GROUP = 16
# As contract/records.ts has it: `files/<image_id>.png` beside images.jsonl.
IMAGE_FOLDER = "files"


def embed(
    request: EmbedRequest, *, warm: WarmPolicy, reporter: Reporter, lifeline: Lifeline
) -> None:
    """Write features.safetensors, embedding.jsonl and embedding.json below `output`.

    Raises:
        SticflowError: `DataInvalid`, `ModelInvalid`, `OutOfMemory`, `DiskFull`.
        Stopped: SIGTERM came; whole groups are kept.
    """
    output = Path(request.work_dir) / "output"
    identity = _identity(request)
    images = spread(
        read_records(Path(request.images_path), ImageRecord, key="image_id"), request.max_images
    )
    if not _is_finished(output, identity):
        rows = _rows(request, images, identity, warm=warm, reporter=reporter, lifeline=lifeline)
        fill_directory(output, lambda folder: _write(folder, rows, identity))
    reporter.result(len(images), {"num_dimensions": read_json(output / "embedding.json")["size"]})


def spread(images: list[ImageRecord], limit: int | None) -> list[ImageRecord]:
    """Take `limit` images evenly from a list, the first one always.

    Returns:
        Of five images and a limit of 2 those at places 0 and 2; all of them without a limit.
    """
    if limit is None or len(images) <= limit:
        return images
    return [images[place * len(images) // limit] for place in range(limit)]


def _identity(request: EmbedRequest) -> dict[str, Any]:
    return {
        "images_sha256": sha256_of_file(Path(request.images_path)),
        "max_images": request.max_images,
        "model_sha256": request.model.sha256,
        "dtype": request.model.dtype,
        "num_threads": request.model.num_threads,
        "image_backend": request.model.image_backend,
    }


def _is_finished(output: Path, identity: dict[str, Any]) -> bool:
    path = output / "embedding.json"
    if not path.exists():
        return False
    facts = read_json(path)
    return all(facts.get(name) == value for name, value in identity.items())


def _rows(
    request: EmbedRequest,
    records: list[ImageRecord],
    identity: dict[str, Any],
    *,
    warm: WarmPolicy,
    reporter: Reporter,
    lifeline: Lifeline,
) -> list[dict[str, Any]]:
    """One line an image, from the partial file as far as it goes."""
    work_dir = Path(request.work_dir)
    groups = [
        records[start : start + IMAGES_IN_A_GROUP]
        for start in range(0, len(records), IMAGES_IN_A_GROUP)
    ]
    partial = _open_partial(work_dir, identity, [len(group) for group in groups], reporter)
    faults = Faults(work_dir)
    try:
        # Only the language model is ever trained, so the tower is the base's under every policy.
        loaded = warm.for_generation(request.model, None, reporter)
        images = loaded.images(request.image_roots)
        for group in groups[partial.num_groups :]:
            lifeline.raise_if_stopped()
            faults.reach("embed.group")
            partial.append(
                {
                    "image_id": record.image_id,
                    "features": loaded.tower_features(
                        images.get(_file(record), encoded=False).inputs
                    ),
                }
                for record in group
            )
            reporter.progress("embedding", len(partial.lines), len(records), "items")
        return partial.lines
    finally:
        partial.close()


def _file(record: ImageRecord) -> ImageFile:
    return ImageFile(root="images", file=f"{IMAGE_FOLDER}/{record.image_id}.png")


def _open_partial(
    work_dir: Path, identity: dict[str, Any], sizes: list[int], reporter: Reporter
) -> PartialLines:
    """Go on where the last attempt stopped, if it did the same work."""
    path = work_dir / "features.partial.jsonl"
    identity_path = work_dir / "features.partial.json"
    if not identity_path.exists() or read_json(identity_path) != identity:
        path.unlink(missing_ok=True)
    write_json(identity_path, identity)
    partial = PartialLines(path, sizes)
    if partial.lines:
        reporter.notice("resumed", f"{len(partial.lines)} of {sum(sizes)} images kept")
    return partial


def _write(folder: Path, rows: list[dict[str, Any]], identity: dict[str, Any]) -> None:
    features_ND = np.array([row["features"] for row in rows], dtype=np.float32)
    save_file({"features": features_ND}, folder / "features.safetensors")
    with (folder / "embedding.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f'{{"image_id": "{row["image_id"]}"}}\n' for row in rows)
    facts = {
        **identity,
        "num_images": len(rows),
        "size": int(features_ND.shape[-1]),
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    write_json(folder / "embedding.json", facts)
