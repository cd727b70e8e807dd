"""Descriptions a second beside a batch-1 loop over `generate`; prints one line of JSON.

    PYTHONPATH=python:bench/python .venv/bin/python -m generation --family llava --shape cpu

A good and a bad prompt for every picture, greedy. Both sides get the same pictures from disk, in turn
over several rounds. Exits with 1 when a float32 text differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import Cost, cpu_seconds, device_name, fastest_ratio, measured, median_ratio, summary
from PIL import Image
from product import as_loaded
from random_models import SHAPES, build
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from generation import official_loop, ours
from sticflow_ml.scenes.architecture import SHIPPED_MODEL
from sticflow_ml.scenes.render import render_image

IMAGE_SIZES = {"llava": (448, 336), "llava_next": (640, 480)}
# The embedded model is a trained one, and sees pictures of its own world.
FAMILIES = [*IMAGE_SIZES, "scenes"]
# Length and wording of STIC's own: one careful and one careless prompt.
PROMPTS = [
    "Illustrate the details of the picture, in full sentences and step by step: first name the "
    "objects that you see, then say where each one is and how they relate to each other.",
    "Describe the image with imaginative objects that may exist in the scene.",
]


def main() -> int:
    """Run the benchmark."""
    options = _options()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, processor = _model(options, device)
    loaded = as_loaded(model, processor)
    with tempfile.TemporaryDirectory(prefix="generation-") as folder:
        pictures = _write_pictures(options, Path(folder))
        asked = [(picture, prompt) for picture in pictures for prompt in PROMPTS]
        tokens = options.tokens
        sides = {
            "official": partial(official_loop.write_texts, model, processor, max_new_tokens=tokens),
            "ours": partial(ours.write_all, loaded, max_rows=options.rows, max_new_tokens=tokens),
        }
        for side in sides.values():
            side(asked[: len(PROMPTS)])  # warms up
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        texts: dict[str, list[list[int]]] = {}
        for number in range(options.rounds):
            for name in sorted(sides, reverse=number % 2 == 0):
                work = partial(sides[name], asked)
                texts[name], cost = measured(work, device=device)
                costs[name].append(cost)
    num_equal = sum(one == other for one, other in zip(*texts.values(), strict=True))
    print(json.dumps(_report(options, device, costs, texts, num_equal)))  # noqa: T201 - the output
    return 1 if options.dtype == "float32" and num_equal < len(texts["ours"]) else 0


def _model(options: argparse.Namespace, device: str) -> tuple[PreTrainedModel, ProcessorMixin]:
    dtype = getattr(torch, options.dtype)
    if options.family == "scenes":
        model = AutoModelForImageTextToText.from_pretrained(SHIPPED_MODEL, dtype=dtype)
        return model.to(device), AutoProcessor.from_pretrained(SHIPPED_MODEL)
    return build(
        options.family,
        SHAPES[options.shape],
        device=device,
        dtype=dtype,
        # Wide enough that two tokens are no near tie, which rounding alone would decide.
        initializer_range=options.initializer_range,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="generation")
    parser.add_argument("--family", choices=FAMILIES, default="llava")
    parser.add_argument("--shape", choices=SHAPES, default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rows", type=int, default=16, help="texts that ours writes at once")
    parser.add_argument("--tokens", type=int, default=64, help="new tokens of a text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--initializer-range", type=float, default=0.05)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _write_pictures(options: argparse.Namespace, folder: Path) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(options.images)]
    if options.family == "scenes":
        for number, path in enumerate(paths):
            render_image("unlabelled", number, 0)[1].save(path)
        return paths
    noise = np.random.default_rng(0)
    width, height = IMAGE_SIZES[options.family]
    for path in paths:
        Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return paths


def _report(
    options: argparse.Namespace,
    device: str,
    costs: dict[str, list[Cost]],
    texts: dict[str, list[list[int]]],
    num_equal: int,
) -> dict[str, Any]:
    images_per_second = {
        name: round(options.images / summary(of)["seconds"], 3) for name, of in costs.items()
    }
    return {
        "name": "generate",
        "peer": f"transformers {version('transformers')}, generate in a loop of batch 1",
        "ratio": fastest_ratio(costs["official"], costs["ours"]),
        "details": {
            "ratio_median": median_ratio(costs["official"], costs["ours"]),
            "ratio_cpu_time": median_ratio(costs["official"], costs["ours"], cpu_seconds),
            "images_per_second": images_per_second,
            "texts": len(texts["ours"]),
            "texts_equal": num_equal,
            "texts_distinct": len(set(map(tuple, texts["ours"]))),
            "sides": {name: summary(of) for name, of in costs.items()},
            **vars(options),
            "device": device_name(device),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
