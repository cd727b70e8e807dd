"""Draw a scene with PIL. A pure function of (scene, random stream); 96 x 96 RGB.

What is not in the truth (exact place, tint, angle, clutter, noise) comes from the stream, so two images of one scene differ.
"""

from __future__ import annotations

import hashlib
import math
import random

import numpy as np
from PIL import Image, ImageDraw

from sticflow_ml.scenes.world import (
    CELL_PIXELS,
    GRID_SIDE,
    IMAGE_SIZE_PIXELS,
    POSITIONS,
    Scene,
    SceneObject,
    sample_scene,
    stream,
)

RGB = {
    "red": (215, 40, 40),
    "green": (40, 165, 60),
    "blue": (50, 90, 225),
    "yellow": (235, 215, 55),
    "purple": (140, 60, 190),
    "orange": (240, 135, 30),
    "pink": (245, 135, 190),
    "white": (240, 240, 240),
}
COLOR_JITTER = 22  # of 255, each channel
PLACE_JITTER_PIXELS = 2.5
RADIUS_PIXELS = {"small": (7.5, 9.0), "large": (12.0, 14.5)}
MAX_ANGLE_RADIANS = 0.22
BACKGROUND_RANGE = (25, 95)  # darker than every object colour
_ROWS, _COLUMNS = np.mgrid[0:IMAGE_SIZE_PIXELS, 0:IMAGE_SIZE_PIXELS].astype(np.float32)
NOISE_SIGMA = (2.0, 10.0)
MAX_CLUTTER_MARKS = 5

Point = tuple[float, float]


def render_image(
    split: str, index: int, seed: int, *, num_objects: int | None = None
) -> tuple[Scene, Image.Image]:
    """Return the scene and the picture of one image of a split."""
    scene = sample_scene(split, index, seed, num_objects=num_objects)
    return scene, render(scene, stream("pixels", split, index, seed))


def pixel_hash(image: Image.Image) -> str:
    """Return the SHA-256 of the raw pixels: equal for equal pictures, however the file was compressed."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def render(scene: Scene, rng: random.Random) -> Image.Image:
    """Draw a scene; everything the truth leaves open is taken from `rng`."""
    image = Image.fromarray(_background(scene.background, rng))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(0, MAX_CLUTTER_MARKS)):
        _draw_clutter(draw, rng)
    for item in scene.objects:
        _draw_object(draw, item, rng)
    return Image.fromarray(_with_noise(np.asarray(image), rng))


def _background(kind: str, rng: random.Random) -> np.ndarray:
    low, high = BACKGROUND_RANGE
    first, second = (
        np.array([rng.randint(low, high) for _ in range(3)], dtype=np.float32) for _ in range(2)
    )
    # Two tones that are told apart: the second is moved away from the first.
    second = np.where(
        first > (low + high) / 2, np.minimum(second, first - 28), np.maximum(second, first + 28)
    )
    rows, columns = _ROWS, _COLUMNS
    share = np.zeros_like(rows)
    if kind == "gradient":
        angle = rng.uniform(0, 2 * math.pi)
        along = rows * math.sin(angle) + columns * math.cos(angle)
        share = (along - along.min()) / (along.max() - along.min())
    elif kind == "striped":
        period = rng.choice((6, 8, 10))
        along = rng.choice((rows, columns, rows + columns))
        share = (along // period) % 2
    elif kind == "checkered":
        period = rng.choice((8, 10, 12))
        share = (rows // period + columns // period) % 2
    elif kind == "noisy":
        share = np.frombuffer(rng.randbytes(rows.size), dtype=np.uint8).reshape(
            rows.shape
        ) / np.float32(255)
    mixed = first + (second - first) * share[..., None]
    return mixed.clip(0, 255).astype(np.uint8)


def _draw_clutter(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    """Draw one short grey line: something that is seen and is not an object."""
    x, y = (rng.uniform(0, IMAGE_SIZE_PIXELS) for _ in range(2))
    angle, length = rng.uniform(0, math.pi), rng.uniform(2, 6)
    grey = rng.randint(90, 150)
    end = (x + length * math.cos(angle), y + length * math.sin(angle))
    draw.line([(x, y), end], fill=(grey, grey, grey), width=1)


def _draw_object(draw: ImageDraw.ImageDraw, item: SceneObject, rng: random.Random) -> None:
    row, column = divmod(POSITIONS.index(item.position), GRID_SIDE)
    x, y = (
        (cell + 0.5) * CELL_PIXELS + rng.uniform(-PLACE_JITTER_PIXELS, PLACE_JITTER_PIXELS)
        for cell in (column, row)
    )
    radius = rng.uniform(*RADIUS_PIXELS[item.size])
    angle = rng.uniform(-MAX_ANGLE_RADIANS, MAX_ANGLE_RADIANS)
    fill = tuple(
        min(255, max(0, channel + rng.randint(-COLOR_JITTER, COLOR_JITTER)))
        for channel in RGB[item.color]
    )
    if item.shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    elif item.shape == "ring":
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            outline=fill,
            width=max(2, round(radius * 0.34)),
        )
    else:
        draw.polygon(
            [_turned(point, angle, x, y, radius) for point in _OUTLINES[item.shape]], fill=fill
        )


def _turned(point: Point, angle: float, x: float, y: float, radius: float) -> Point:
    horizontal, vertical = point
    cosine, sine = math.cos(angle), math.sin(angle)
    return (
        x + radius * (horizontal * cosine - vertical * sine),
        y + radius * (horizontal * sine + vertical * cosine),
    )


def _star() -> tuple[Point, ...]:
    corners = []
    for corner in range(10):
        reach = 1.08 if corner % 2 == 0 else 0.45
        turn = math.pi * corner / 5 - math.pi / 2
        corners.append((reach * math.cos(turn), reach * math.sin(turn)))
    return tuple(corners)


def _cross(half_arm: float = 0.33) -> tuple[Point, ...]:
    a = half_arm
    return (
        (-a, -1),
        (a, -1),
        (a, -a),
        (1, -a),
        (1, a),
        (a, a),
        (a, 1),
        (-a, 1),
        (-a, a),
        (-1, a),
        (-1, -a),
        (-a, -a),
    )


# Corners on the unit circle's scale, y downwards as in images.
_OUTLINES: dict[str, tuple[Point, ...]] = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0.0, -1.05), (1.0, 0.8), (-1.0, 0.8)),
    "star": _star(),
    "cross": _cross(),
}


def _with_noise(pixels: np.ndarray, rng: random.Random) -> np.ndarray:
    """Add near-Gaussian noise: the sum of four bytes (Irwin-Hall).

    Bytes of `random.Random` never change between versions; numpy's normal stream may (NEP 19).
    """
    sigma = rng.uniform(*NOISE_SIGMA)
    draws = np.frombuffer(rng.randbytes(4 * pixels.size), dtype=np.uint8).reshape(4, *pixels.shape)
    summed = draws.sum(axis=0, dtype=np.int32).astype(np.float32)
    # One byte is uniform on 0..255: mean 127.5, variance (256^2 - 1) / 12; four of them have twice its deviation.
    normal = (summed - 510) / np.float32(2 * math.sqrt((256**2 - 1) / 12))
    return (pixels + sigma * normal).clip(0, 255).round().astype(np.uint8)
