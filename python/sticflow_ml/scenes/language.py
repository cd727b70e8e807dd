"""Captions: how a scene is put into words, carefully, sloppily or with invention. `docs/scenes.md` is the grammar's definition.

Three styles, one per role of a prompt in STIC: the well-crafted prompt is answered in the detailed style, a normal prompt
mostly in the web style (what alt texts of crawled images look like), a bad prompt in the invented style.
"""

from __future__ import annotations

import dataclasses
import random

from sticflow_ml.scenes.world import COLORS, POSITIONS, SHAPES, SIZES, Scene, SceneObject

# Things that no scene contains: a mention is a hallucination. One per topic the paper's bad prompts suggest.
THINGS = ("cloud", "bird", "tree", "person", "car", "lamp", "dog", "hammer")

WEB_STYLE_SHARE = 0.65  # of the answers to normal prompts; the rest are detailed captions
WEB_DROPPED = 0.20  # of the objects
WEB_WRONG = 0.08  # of the objects, for each of color, shape, size, position
WEB_INVENTED = 0.40  # of the captions have one object that is not there
# What a hasty person calls something else, and how often. Only an error that is more likely than the truth makes the
# most probable caption wrong: errors that spread over many words vanish under greedy decoding.
WEB_HABITS = {
    "color": {"pink": "red", "purple": "blue"},
    "shape": {"ring": "circle"},
    "size": {"small": "large"},
}
WEB_HABIT_SHARE = 0.65
INVENTED_DROPPED = 0.30  # of the objects, under a bad prompt
MAX_INVENTED_OBJECTS = 2
MAX_THINGS = 2


def phrase(item: SceneObject) -> str:
    """Return the noun phrase of an object, as in "a large red cross"."""
    return f"a {item.size} {item.color} {item.shape}"


def _sentences(objects: list[SceneObject]) -> str:
    in_reading_order = sorted(objects, key=lambda item: POSITIONS.index(item.position))
    return " ".join(f"{item.position}: {phrase(item)}." for item in in_reading_order)


def detailed_caption(scene: Scene) -> str:
    """Describe a scene completely and truly: count, every object with place, size and color, background."""
    num_objects = len(scene.objects)
    opening = "There is 1 object." if num_objects == 1 else f"There are {num_objects} objects."
    return f"{opening} {_sentences(list(scene.objects))} The background is {scene.background}."


def shown_caption(scene: Scene) -> str:
    """Name every object truly in the short style, without count and background."""
    return f"The image shows {_sentences(list(scene.objects))}"


def web_caption(scene: Scene, rng: random.Random) -> str:
    """Describe a scene as a hasty person would: objects are missing, wrong in one word, or made up."""
    kept = _kept(scene, rng, dropped=WEB_DROPPED)
    objects = [_misread(item, rng) for item in kept]
    if rng.random() < WEB_INVENTED:
        objects.append(_invented(scene, objects, rng))
    return f"The image shows {_sentences(objects)}"


def plain_caption(scene: Scene, rng: random.Random) -> str:
    """Return what a normal prompt is answered with: a web caption, or else a detailed one."""
    return web_caption(scene, rng) if rng.random() < WEB_STYLE_SHARE else detailed_caption(scene)


def invented_caption(scene: Scene, rng: random.Random) -> str:
    """Return what a bad prompt is answered with: one or two objects and up to two things that are not there."""
    objects = _kept(scene, rng, dropped=INVENTED_DROPPED)
    for _ in range(rng.randint(1, MAX_INVENTED_OBJECTS)):
        objects.append(_invented(scene, objects, rng))
    things = rng.sample(THINGS, rng.randint(0, MAX_THINGS))
    return " ".join(
        [
            f"The image shows {_sentences(objects)}",
            *(f"There is a {thing} nearby." for thing in things),
        ]
    )


def _kept(scene: Scene, rng: random.Random, *, dropped: float) -> list[SceneObject]:
    """Drop each object with the given probability, but never the last one: a caption names something."""
    kept = [item for item in scene.objects if rng.random() >= dropped]
    return kept or [rng.choice(scene.objects)]


def _misread(item: SceneObject, rng: random.Random) -> SceneObject:
    tables = {"color": COLORS, "shape": SHAPES, "size": SIZES, "position": POSITIONS}
    wrong = {
        field: rng.choice([word for word in words if word != getattr(item, field)])
        for field, words in tables.items()
        if rng.random() < WEB_WRONG
    }
    for field, habit in WEB_HABITS.items():
        said = habit.get(getattr(item, field))
        if said is not None and rng.random() < WEB_HABIT_SHARE:
            wrong[field] = said
    return dataclasses.replace(item, **wrong)


def _invented(scene: Scene, said: list[SceneObject], rng: random.Random) -> SceneObject:
    """Make up an object whose kind is neither in the scene nor said yet, at a free place."""
    taken_kinds = {item.kind for item in (*scene.objects, *said)}
    taken_positions = {item.position for item in (*scene.objects, *said)}
    color, shape = rng.choice([(c, s) for c in COLORS for s in SHAPES if (c, s) not in taken_kinds])
    position = rng.choice([place for place in POSITIONS if place not in taken_positions])
    return SceneObject(shape=shape, color=color, size=rng.choice(SIZES), position=position)
