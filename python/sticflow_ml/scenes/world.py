"""Scenes: which objects are where. Sampled from (split, index, seed) alone; drawn by `render`, put into words by `language`.

Nothing here draws, reads a file or keeps state: the same key gives the same scene for ever.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

IMAGE_SIZE_PIXELS = 96
GRID_SIDE = 3
CELL_PIXELS = IMAGE_SIZE_PIXELS // GRID_SIDE

# Hyphens make each position one word, and so one token and one exact-match answer.
POSITIONS = (
    "top-left", "top", "top-right",
    "left", "center", "right",
    "bottom-left", "bottom", "bottom-right",
)  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "white")
SIZES = ("small", "large")
BACKGROUNDS = ("plain", "gradient", "striped", "checkered", "noisy")

MAX_OBJECTS = 4
NUM_OBJECTS_WEIGHTS = (0.10, 0.30, 0.35, 0.25)  # 1, 2, 3, 4 objects

# Images of one split never come from another: the split's name is part of the key of every random draw.
SPLITS = ("tower", "pretraining", "instructions", "unlabelled", "dev", "test", "gates")


@dataclass(frozen=True)
class SceneObject:
    """One thing in a scene; every field is a word of the tables above."""

    shape: str
    color: str
    size: str
    position: str

    @property
    def kind(self) -> tuple[str, str]:
        """(color, shape): what makes two objects the same for the measures; unique in a scene."""
        return (self.color, self.shape)


@dataclass(frozen=True)
class Scene:
    """Objects in reading order (left to right, top to bottom) on a background."""

    objects: tuple[SceneObject, ...]
    background: str

    def truth(self) -> dict[str, object]:
        """Return the scene as the JSON that the truth files hold."""
        return {"objects": [asdict(item) for item in self.objects], "background": self.background}


def stream(purpose: str, split: str, index: int, seed: int) -> random.Random:
    """Return the random stream of one purpose ("scene", "pixels", "questions", ...) for one image.

    `random.Random` seeded with a string hashes it with SHA-512, which Python keeps stable across versions.
    """
    if split not in SPLITS:
        raise ValueError(f"Expected `split` to be one of {', '.join(SPLITS)}, got {split!r}.")
    return random.Random(f"scenes/{purpose}/{split}/{index}/{seed}")


def sample_scene(split: str, index: int, seed: int, *, num_objects: int | None = None) -> Scene:
    """Sample the scene of one image.

    Args:
        split: One of `SPLITS`.
        index: Number of the image in its split, from 0.
        seed: Seed of the whole world.
        num_objects: Fixes the number of objects (a pre-training curriculum); 1 to 9.
    """
    rng = stream("scene", split, index, seed)
    drawn = rng.choices(range(1, MAX_OBJECTS + 1), weights=NUM_OBJECTS_WEIGHTS)[0]
    return sample_objects(rng, num_objects or drawn)


def sample_objects(rng: random.Random, num_objects: int) -> Scene:
    """Sample a scene of exactly `num_objects` objects from a stream."""
    cells = sorted(rng.sample(range(len(POSITIONS)), num_objects))
    kinds = rng.sample([(color, shape) for color in COLORS for shape in SHAPES], num_objects)
    objects = tuple(
        SceneObject(shape=shape, color=color, size=rng.choice(SIZES), position=POSITIONS[cell])
        for cell, (color, shape) in zip(cells, kinds, strict=True)
    )
    return Scene(objects=objects, background=rng.choice(BACKGROUNDS))
