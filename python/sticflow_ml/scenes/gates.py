"""Is the base fit for the method? Measured on held-out scenes by greedy generation, as the product will use the model.

A base that fails a gate makes every later figure meaningless.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from sticflow_ml.scenes.describe_measures import DescriptionScores, count_claims, score_descriptions
from sticflow_ml.scenes.language import detailed_caption
from sticflow_ml.scenes.prompts import Prompts, described
from sticflow_ml.scenes.questions import Question, questions_of_image
from sticflow_ml.scenes.render import render_image
from sticflow_ml.scenes.world import Scene

BATCH = 64
MAX_CAPTION_TOKENS, MAX_ANSWER_TOKENS = 96, 8
QUESTIONS_PER_IMAGE = 5

MIN_READING = 0.85
MIN_CAREFUL_F1 = 0.83
MIN_ROOM = 0.05  # of careful over plain descriptions, and of reading a good description over answering directly


@dataclass(frozen=True)
class Gate:
    """One condition: `value` has to reach `bound`, or to stay below it where `passes_when` says so."""

    name: str
    value: float
    bound: float
    passes_when: str  # "at least" | "at most" | "below"

    @property
    def passed(self) -> bool:
        """True when the condition holds."""
        if self.passes_when == "at least":
            return self.value >= self.bound
        return (
            self.value <= self.bound if self.passes_when == "at most" else self.value < self.bound
        )


@dataclass(frozen=True)
class BaseMeasures:
    """What the gates look at: accuracies 0 to 1 over all questions, description scores over all images."""

    num_images: int
    num_questions: int
    direct: float
    with_truth: float
    with_careful: float
    with_plain: float
    careful: DescriptionScores
    plain: DescriptionScores

    def gates(self) -> list[Gate]:
        """Return the conditions a base has to meet."""
        return [
            Gate(
                "questions right with the true description",
                self.with_truth,
                MIN_READING,
                "at least",
            ),
            Gate("F1 of careful descriptions", self.careful.f1, MIN_CAREFUL_F1, "at least"),
            Gate("F1 of plain descriptions", self.plain.f1, self.careful.f1 - MIN_ROOM, "at most"),
            Gate("questions right directly", self.direct, self.with_careful - MIN_ROOM, "at most"),
            Gate("questions right with a plain description", self.with_plain, self.direct, "below"),
        ]

    def as_json(self) -> dict[str, Any]:
        """Return measures and gates as they stand in `training.json`."""
        gates = [{**asdict(gate), "passed": gate.passed} for gate in self.gates()]
        return {"measures": asdict(self), "gates": gates}


class Respondent:
    """Asks a model about images in batches, greedily; the base model's way through `transformers`."""

    def __init__(self, model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> None:
        self._model, self._processor = model.eval(), processor

    @torch.no_grad()
    def answer(
        self, images: Sequence[Image.Image], texts: Sequence[str], *, max_new_tokens: int
    ) -> list[str]:
        """Return one answer per (image, user text)."""
        answers: list[str] = []
        for begin in range(0, len(texts), BATCH):
            turns = [
                [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
                for text in texts[begin : begin + BATCH]
            ]
            rendered = self._processor.apply_chat_template(turns, add_generation_prompt=True)
            inputs = self._processor(
                images=list(images[begin : begin + BATCH]),
                text=rendered,
                padding=True,
                return_tensors="pt",
            )
            output = self._model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
            new_tokens = output[:, inputs["input_ids"].shape[1] :]
            decoded = self._processor.batch_decode(new_tokens, skip_special_tokens=True)
            answers += [text.strip() for text in decoded]
        return answers


@dataclass(frozen=True)
class HeldOutScenes:
    """Scenes with their pictures, and the questions with the number of the scene that each belongs to."""

    scenes: list[Scene]
    images: list[Image.Image]
    questions: list[tuple[int, Question]]


def held_out(split: str, number: int, seed: int) -> HeldOutScenes:
    """Render the first images of a split and take their questions."""
    scenes, images, questions = [], [], []
    for index in range(number):
        scene, image = render_image(split, index, seed)
        scenes.append(scene)
        images.append(image)
        asked = questions_of_image(scene, split, index, seed, number=QUESTIONS_PER_IMAGE)
        questions += [(index, question) for question in asked]
    return HeldOutScenes(scenes, images, questions)


def measure_base(respondent: Respondent, prompts: Prompts, shown: HeldOutScenes) -> BaseMeasures:
    """Describe all scenes in two ways and answer all questions in four."""
    number = len(shown.scenes)
    careful = respondent.answer(
        shown.images, [prompts.well_crafted] * number, max_new_tokens=MAX_CAPTION_TOKENS
    )
    normal = [prompts.normal[index % len(prompts.normal)] for index in range(number)]
    plain = respondent.answer(shown.images, normal, max_new_tokens=MAX_CAPTION_TOKENS)
    first = respondent.answer(
        shown.images, [prompts.description_prompt] * number, max_new_tokens=MAX_CAPTION_TOKENS
    )
    truth = [detailed_caption(scene) for scene in shown.scenes]
    return BaseMeasures(
        num_images=number,
        num_questions=len(shown.questions),
        direct=question_accuracy(respondent, prompts, shown, descriptions=None),
        with_truth=question_accuracy(respondent, prompts, shown, descriptions=truth),
        with_careful=question_accuracy(respondent, prompts, shown, descriptions=careful),
        with_plain=question_accuracy(respondent, prompts, shown, descriptions=first),
        careful=description_scores(shown.scenes, careful),
        plain=description_scores(shown.scenes, plain),
    )


def question_accuracy(
    respondent: Respondent,
    prompts: Prompts,
    shown: HeldOutScenes,
    *,
    descriptions: Sequence[str] | None,
) -> float:
    """Return the share of exactly right answers, with each image's description in front of its questions if given."""
    images = [shown.images[number] for number, _ in shown.questions]
    texts = [
        described(prompts, descriptions[number], question.text) if descriptions else question.text
        for number, question in shown.questions
    ]
    answers = respondent.answer(images, texts, max_new_tokens=MAX_ANSWER_TOKENS)
    right = [
        answer == question.answer
        for answer, (_, question) in zip(answers, shown.questions, strict=True)
    ]
    return sum(right) / len(right)


def description_scores(scenes: Sequence[Scene], texts: Sequence[str]) -> DescriptionScores:
    """Score one description per scene."""
    counts = [
        count_claims(text, [item.kind for item in scene.objects])
        for scene, text in zip(scenes, texts, strict=True)
    ]
    return score_descriptions(counts)
