"""What phase 3 shows and asks, step by step: one object, several objects, then the mix that makes the base model.

The mix decides what STIC has to work with: careful descriptions on request, careless ones to normal prompts, few direct questions.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportAssignmentType=false
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sticflow_ml.scenes.language import detailed_caption, invented_caption, plain_caption
from sticflow_ml.scenes.lessons import Lessons
from sticflow_ml.scenes.packing import Row
from sticflow_ml.scenes.prompts import Prompts
from sticflow_ml.scenes.questions import QUESTIONS_PER_INSTRUCTION, ask_place, questions_of_image
from sticflow_ml.scenes.templates import STEP_BY_STEP
from sticflow_ml.scenes.world import MAX_OBJECTS, Scene, sample_objects

Stage = Literal["single", "several", "mix"]

IMAGES_PER_STEP = {"single": 32, "several": 32, "mix": 12}
STAGE_SHARES = {"single": 0.037, "several": 0.073}  # of the steps: 30 and 60 of 820

WELL_CRAFTED_SHARE = 0.35  # of the careful captions are asked for with the paper's long prompt
PLAIN_SHARE, PLAIN_WEIGHT = 0.8, 0.6
INVENTED_SHARE, INVENTED_WEIGHT = 0.35, 0.6
READING_SHARE = (
    0.4  # of the images come with a text of another scene, half of these texts below the image
)
QUESTIONS_PER_TEXT = 4


@dataclass(frozen=True)
class GroundingStep:
    """One optimizer step: which images, as (split, index), under which lessons."""

    stage: Stage
    images: list[tuple[str, int]]
    num_objects: int | None  # fixed in the single-object stage only


def grounding_steps(steps: int, num_instructions: int) -> Iterator[GroundingStep]:
    """Yield the steps in order; each image of the instruction set is shown exactly once, evenly over the mix."""
    num_single = round(STAGE_SHARES["single"] * steps)
    num_several = round(STAGE_SHARES["several"] * steps)
    num_mix = steps - num_single - num_several
    next_index = 0
    stages: list[Stage] = ["single"] * num_single + ["several"] * num_several + ["mix"] * num_mix
    for number, stage in enumerate(stages):
        place = number - num_single - num_several
        instructions: list[tuple[str, int]] = []
        if stage == "mix":
            begin, end = (
                place * num_instructions // num_mix,
                (place + 1) * num_instructions // num_mix,
            )
            instructions = [("instructions", index) for index in range(begin, end)]
        fresh = IMAGES_PER_STEP[stage] - len(instructions)
        images = [("pretraining", next_index + offset) for offset in range(fresh)]
        next_index += fresh
        yield GroundingStep(stage, images + instructions, 1 if stage == "single" else None)


class Practice:
    """Turns the scene of an image into rows of segments; draws from one stream."""

    def __init__(
        self, lessons: Lessons, prompts: Prompts, rng: random.Random, *, seed: int
    ) -> None:
        self._lessons, self._prompts, self._rng, self._seed = lessons, prompts, rng, seed
        self.image_offset = lessons.image_offset

    def rows(self, stage: Stage, scene: Scene, split: str, index: int, *, image: int) -> list[Row]:
        """Return the rows of one image: its own, and sometimes one with a text to read and no image."""
        row = Row([self._lessons.image_root()], image=image)
        if stage == "mix":
            return [row, *self._fill_mix(row, scene, split, index)]
        places = 2 if stage == "single" else 3
        for _ in range(places):
            row.add(self._lessons.turns([ask_place(scene, self._rng)]))
        if stage == "several" or self._rng.random() < 0.5:
            self._add_careful(row, scene)
        return [row]

    def _fill_mix(self, row: Row, scene: Scene, split: str, index: int) -> list[Row]:
        rng, lessons, prompts = self._rng, self._lessons, self._prompts
        self._add_careful(row, scene)
        row.add(lessons.turns([ask_place(scene, rng)]))
        if rng.random() < PLAIN_SHARE:
            caption = plain_caption(scene, rng)
            row.add(lessons.caption(rng.choice(prompts.normal), caption, weight=PLAIN_WEIGHT))
        if rng.random() < INVENTED_SHARE:
            caption = invented_caption(scene, rng)
            row.add(lessons.caption(rng.choice(prompts.bad), caption, weight=INVENTED_WEIGHT))
        if split == "instructions":
            questions = questions_of_image(
                scene, split, index, self._seed, number=QUESTIONS_PER_INSTRUCTION
            )
            row.add(lessons.turns(questions))
        if rng.random() >= READING_SHARE:
            return []
        other = sample_objects(rng, rng.randint(1, MAX_OBJECTS))
        if rng.random() < 0.5:
            text = row.add(lessons.text_under_image(other, rng))
            for segment in lessons.reading_questions(other, QUESTIONS_PER_TEXT, rng, parent=text):
                row.add(segment)
            return []
        apart = Row([lessons.text_root(other, rng)])
        for segment in lessons.reading_questions(other, QUESTIONS_PER_TEXT, rng):
            apart.add(segment)
        return [apart]

    def _add_careful(self, row: Row, scene: Scene) -> None:
        long = self._rng.random() < WELL_CRAFTED_SHARE
        prompt = self._prompts.well_crafted if long else STEP_BY_STEP
        row.add(self._lessons.caption(prompt, detailed_caption(scene), weight=1.0))
