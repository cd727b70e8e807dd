"""`compare_features`: sets of image features against a reference, and a map of all of them.

Needs no model and no torch: a command of the model process because scikit-learn lives here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from sticflow_ml.contract import CompareFeaturesRequest, EmbeddedImage, NamedFeatures, Projection
from sticflow_ml.errors import SticflowError
from sticflow_ml.lines import read_records
from sticflow_ml.overlap import (
    frechet_distance,
    maximum_mean_discrepancy,
    nearest_distances,
    neighbour_mixing,
)
from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import write_json


def compare_features(request: CompareFeaturesRequest, reporter: Reporter) -> None:
    """Write overlaps.json, distances.jsonl and points.jsonl.

    Raises:
        SticflowError: `DataInvalid` when a set is too small or of another size than the reference.
    """
    output = Path(request.output_dir)
    reference = _Features(request.reference)
    sets = [_Features(named) for named in request.sets]
    for one in sets:
        _require_comparable(one, reference)
    overlaps = [
        {
            "set": one.name,
            "num_images": len(one.image_ids),
            "frechet": frechet_distance(one.values_ND, reference.values_ND),
            "mmd": maximum_mean_discrepancy(one.values_ND, reference.values_ND),
            "mixing": neighbour_mixing(one.values_ND, reference.values_ND),
        }
        for one in sets
    ]
    write_json(output / "overlaps.json", overlaps)
    distances = [
        {"set": one.name, "image_id": image_id, "distance": float(distance)}
        for one in sets
        for image_id, distance in zip(
            one.image_ids, nearest_distances(one.values_ND, reference.values_ND), strict=True
        )
    ]
    _write_lines(output / "distances.jsonl", distances)
    points = [] if request.projection is None else _points([reference, *sets], request.projection)
    _write_lines(output / "points.jsonl", points)
    reporter.progress("projecting", 1, 1, "items")
    reporter.result(len(distances), {"num_points": len(points)})


class _Features:
    """The features of one set and whose they are."""

    def __init__(self, named: NamedFeatures) -> None:
        folder = Path(named.path)
        self.name = named.name
        self.values_ND = load_file(folder / "features.safetensors")["features"]
        records = read_records(folder / "embedding.jsonl", EmbeddedImage, key="image_id")
        self.image_ids = [record.image_id for record in records]


def _require_comparable(one: _Features, reference: _Features) -> None:
    smaller = min(len(one.image_ids), len(reference.image_ids))
    if smaller < 2:
        raise SticflowError(
            "DataInvalid",
            f"Expected two images or more in `{one.name}` and `{reference.name}` to compare them, "
            f"got {smaller}. Name larger sets.",
        )
    sizes = one.values_ND.shape[1], reference.values_ND.shape[1]
    if sizes[0] != sizes[1]:
        raise SticflowError(
            "DataInvalid",
            f"Expected features of one vision tower, got {sizes[0]} features in `{one.name}` and "
            f"{sizes[1]} in `{reference.name}`. Embed both with the same base.",
        )


def _points(sets: list[_Features], projection: Projection) -> list[dict[str, object]]:
    """t-SNE of all images together (van der Maaten and Hinton 2008), begun from the two main axes."""
    from sklearn.manifold import TSNE

    values_ND = np.concatenate([one.values_ND for one in sets]).astype(np.float64)
    tsne = TSNE(
        n_components=2,
        # Every point needs more neighbours than the perplexity asks it to look at.
        perplexity=min(projection.perplexity, (len(values_ND) - 1) / 3),
        init="pca",
        random_state=projection.seed,
        n_jobs=1,
    )
    map_N2 = tsne.fit_transform(values_ND)
    owners = [(one.name, image_id) for one in sets for image_id in one.image_ids]
    return [
        {"set": name, "image_id": image_id, "x": float(x), "y": float(y)}
        for (name, image_id), (x, y) in zip(owners, map_N2, strict=True)
    ]


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
