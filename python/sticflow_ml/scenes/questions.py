"""Questions about a scene and their answers: six types, exact match.

A question is asked only where its answer is unique: the color of "the triangle" only if there is one triangle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from sticflow_ml.scenes.language import phrase
from sticflow_ml.scenes.world import COLORS, POSITIONS, SHAPES, Scene, SceneObject, stream

QUESTION_TYPES = ("color", "shape", "size", "where", "exist", "count")
QUESTIONS_PER_INSTRUCTION = 4
HARD_NEGATIVE_SHARE = 0.5  # of the "no" questions: shape or color is there, the combination is not
EMPTY_PLACE_SHARE = 0.2  # of the place questions, which are for pre-training only


@dataclass(frozen=True)
class Question:
    """One question with its only right answer; `key` names what it asks about, for the binding loss."""

    type: str
    text: str
    answer: str
    key: tuple[tuple[str, str], ...] = ()


def questions_of_image(
    scene: Scene, split: str, index: int, seed: int, *, number: int
) -> list[Question]:
    """Return the questions that belong to one image of a split, of different types as far as the scene allows."""
    rng = stream("questions", split, index, seed)
    types = list(QUESTION_TYPES)
    rng.shuffle(types)
    asked: list[Question] = []
    while len(asked) < number:
        before = len(asked)
        for question_type in types:
            question = ask(question_type, scene, rng)
            if (
                question
                and question.text not in {other.text for other in asked}
                and len(asked) < number
            ):
                asked.append(question)
        if len(asked) == before:
            break  # a single object cannot carry more different questions
    return asked


def ask(question_type: str, scene: Scene, rng: random.Random) -> Question | None:
    """Return a question of the type, or None where the scene has no unique answer."""
    return _ASKERS[question_type](scene, rng)


def _only(scene: Scene, field: str, rng: random.Random) -> SceneObject | None:
    words = [getattr(item, field) for item in scene.objects]
    unique = [item for item in scene.objects if words.count(getattr(item, field)) == 1]
    return rng.choice(unique) if unique else None


def _color(scene: Scene, rng: random.Random) -> Question | None:
    item = _only(scene, "shape", rng)
    return item and Question(
        "color", f"What color is the {item.shape}?", item.color, (("shape", item.shape),)
    )


def _shape(scene: Scene, rng: random.Random) -> Question | None:
    item = _only(scene, "color", rng)
    return item and Question(
        "shape", f"What shape is {item.color}?", item.shape, (("color", item.color),)
    )


def _kind_key(color: str, shape: str) -> tuple[tuple[str, str], ...]:
    return (("color", color), ("shape", shape))


def _size(scene: Scene, rng: random.Random) -> Question:
    item = rng.choice(scene.objects)
    return Question(
        "size", f"What size is the {item.color} {item.shape}?", item.size, _kind_key(*item.kind)
    )


def _where(scene: Scene, rng: random.Random) -> Question:
    item = rng.choice(scene.objects)
    return Question(
        "where", f"Where is the {item.color} {item.shape}?", item.position, _kind_key(*item.kind)
    )


def _exist(scene: Scene, rng: random.Random) -> Question:
    present = {item.kind for item in scene.objects}
    if rng.random() < 0.5:
        color, shape = rng.choice(scene.objects).kind
        return Question(
            "exist", f"Is there {_article(color)} {color} {shape}?", "yes", _kind_key(color, shape)
        )
    absent = [
        (color, shape) for color in COLORS for shape in SHAPES if (color, shape) not in present
    ]
    if rng.random() < HARD_NEGATIVE_SHARE:
        colors, shapes = {color for color, _ in present}, {shape for _, shape in present}
        absent = [(color, shape) for color, shape in absent if color in colors or shape in shapes]
    color, shape = rng.choice(absent)
    return Question(
        "exist", f"Is there {_article(color)} {color} {shape}?", "no", _kind_key(color, shape)
    )


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _count(scene: Scene, rng: random.Random) -> Question:
    del rng  # every scene has exactly one count question
    return Question("count", "How many objects are there?", str(len(scene.objects)))


def ask_place(scene: Scene, rng: random.Random) -> Question:
    """Ask what is at a place: "a small yellow cross" or "nothing". Practice only, never evaluated."""
    filled = {item.position: item for item in scene.objects}
    empty = [place for place in POSITIONS if place not in filled]
    position = rng.choice(empty if empty and rng.random() < EMPTY_PLACE_SHARE else list(filled))
    item = filled.get(position)
    return Question(
        "place",
        f"What is at the {position}?",
        phrase(item) if item else "nothing",
        (("position", position),),
    )


_ASKERS = {
    "color": _color,
    "shape": _shape,
    "size": _size,
    "where": _where,
    "exist": _exist,
    "count": _count,
}
