"""Seeded preference rows in TRL's vision format, with lengths like those of STIC descriptions."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from PIL import Image
from random_models import WORDS


def make_rows(
    num_pairs: int,
    *,
    seed: int,
    image_size: tuple[int, int],
    chosen_words: int,
    rejected_words: int,
) -> list[dict[str, Any]]:
    """Return `num_pairs` rows; answer lengths vary by +-20 % around the given number of words."""
    draw = random.Random(seed)
    return [
        {
            "images": [_image(draw, image_size)],
            "prompt": [
                _message("user", "Explain what is depicted in the photograph.", with_image=True)
            ],
            "chosen": [_message("assistant", _text(draw, chosen_words))],
            "rejected": [_message("assistant", _text(draw, rejected_words))],
        }
        for _ in range(num_pairs)
    ]


def _message(role: str, text: str, *, with_image: bool = False) -> dict[str, Any]:
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    return {"role": role, "content": [*content, {"type": "text", "text": text}]}


def _text(draw: random.Random, num_words: int) -> str:
    length = round(num_words * draw.uniform(0.8, 1.2))
    return " ".join(draw.choice(WORDS) for _ in range(length))


def _image(draw: random.Random, size: tuple[int, int]) -> Image.Image:
    pixels = np.random.default_rng(draw.getrandbits(32)).integers(
        0, 256, (size[1], size[0], 3), dtype=np.uint8
    )
    return Image.fromarray(pixels)
