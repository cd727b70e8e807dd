"""Exercises of the pre-training as segments: captions, question turns, terse look-ups and texts to read."""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerFast

from sticflow_ml.scenes.architecture import NUM_PATCHES
from sticflow_ml.scenes.binding import UNLABELLED, DescriptionLabeller, Labels, key_labels
from sticflow_ml.scenes.language import detailed_caption, shown_caption
from sticflow_ml.scenes.packing import ROOT_PARENT, Segment
from sticflow_ml.scenes.questions import Question, ask, ask_place
from sticflow_ml.scenes.templates import (
    AFTER_HEADER,
    ASSISTANT,
    BEFORE_QUESTION,
    READING_HEADERS,
    USER,
)
from sticflow_ml.scenes.world import Scene

# Reading practice asks more of what needs a look-up of two words. "place" is practice only.
READING_TYPES = ("color", "shape", "size", "where", "exist", "exist", "count", "place")
SHOWN_STYLE_SHARE = 0.4  # of the texts to read: the normal prompts' style, here without its errors
SECOND_TURN_SHARE = 0.25  # of the reading questions follow another one, as in the instruction set


class Lessons:
    """Builds segments with one tokenizer; the only state is a cache of encoded pieces."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        backend = tokenizer.backend_tokenizer
        # The full call costs 100 us per short string; these pieces recur.
        self._encode: Callable[[str], list[int]] = lru_cache(maxsize=50_000)(
            lambda text: backend.encode(text, add_special_tokens=False).ids
        )
        self._labeller = DescriptionLabeller(tokenizer)
        self._bos, self._eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        self._image_tokens = [tokenizer.convert_tokens_to_ids("<image>")] * NUM_PATCHES
        self._line_break = self._encode("\n")
        self.image_offset = 1 + len(self._encode(USER))

    def image_root(self) -> Segment:
        """Return the start of a user turn with the image."""
        return _unlabelled([self._bos, *self._encode(USER), *self._image_tokens, *self._line_break])

    def caption(self, prompt: str, caption: str, *, weight: float, parent: int = 0) -> Segment:
        """Return a prompt about the image and its description, whose tokens are targets and bound to their objects."""
        asked = self._encode(prompt + ASSISTANT)
        answer = self._encode(f" {caption}")
        return Segment(
            tokens=[*asked, *answer, self._eos],
            targets=[False] * len(asked) + [True] * (len(answer) + 1),
            bindings=[UNLABELLED] * len(asked) + self._labeller.labels(answer) + [UNLABELLED],
            parent=parent,
            weight=weight,
        )

    def turns(
        self, questions: Sequence[Question], *, parent: int = 0, weight: float = 1.0
    ) -> Segment:
        """Return one conversation of question turns; the first continues the parent's user turn."""
        segment = Segment(tokens=[], targets=[], bindings=[], parent=parent, weight=weight)
        for number, question in enumerate(questions):
            opening = USER if number else ""
            asked = self._encode(opening + question.text + ASSISTANT)
            answer = [*self._encode(f" {question.answer}"), self._eos]
            _append(segment, asked, answer, key_labels(question.key))
        return segment

    def terse(self, prompt: str, answer: str, key: Labels, *, parent: int = 0) -> Segment:
        """Return a look-up without ceremony, as in " color at top-left?" -> " red"."""
        segment = Segment(tokens=[], targets=[], bindings=[], parent=parent)
        _append(segment, self._encode(prompt), self._encode(answer), key)
        return segment

    def text_root(self, scene: Scene, rng: random.Random) -> Segment:
        """Return the start of a user turn that shows a scene as a text under some header, without an image."""
        opening = [self._bos, *self._encode(USER)]
        return self._text(scene, rng, opening, parent=ROOT_PARENT)

    def text_under_image(self, scene: Scene, rng: random.Random) -> Segment:
        """Return a text to read below the image of another scene."""
        return self._text(scene, rng, [], parent=0)

    def reading_questions(
        self, scene: Scene, number: int, rng: random.Random, *, parent: int = 0
    ) -> list[Segment]:
        """Return conversations of one or two turns, `number` questions in all, answered by the scene's text."""
        asked = [reading_question(scene, rng) for _ in range(number)]
        segments = []
        while asked:
            length = 2 if len(asked) > 1 and rng.random() < SECOND_TURN_SHARE else 1
            segments.append(self.turns(asked[:length], parent=parent))
            asked = asked[length:]
        return segments

    def _text(
        self, scene: Scene, rng: random.Random, opening: list[int], *, parent: int
    ) -> Segment:
        after_header = rng.choice(AFTER_HEADER)
        header = self._encode(rng.choice(READING_HEADERS) + after_header.rstrip(" "))
        style = shown_caption if rng.random() < SHOWN_STYLE_SHARE else detailed_caption
        lead = " " if after_header == " " else ""
        text = self._encode(lead + style(scene))
        below = self._encode(rng.choice(BEFORE_QUESTION))
        before = [*opening, *header]
        tokens = [*before, *text, *below]
        bindings = (
            [UNLABELLED] * len(before) + self._labeller.labels(text) + [UNLABELLED] * len(below)
        )
        return Segment(
            tokens=tokens, targets=[False] * len(tokens), bindings=bindings, parent=parent
        )


def reading_question(scene: Scene, rng: random.Random) -> Question:
    """Return a question of a random type that the scene can answer."""
    while True:
        kind = rng.choice(READING_TYPES)
        question = ask_place(scene, rng) if kind == "place" else ask(kind, scene, rng)
        if question:
            return question


def _append(segment: Segment, asked: list[int], answer: list[int], key: Labels) -> None:
    """Add a prompt, whose last token must know the key, and an answer, whose tokens are targets."""
    segment.tokens += [*asked, *answer]
    segment.targets += [False] * len(asked) + [True] * len(answer)
    segment.bindings += [UNLABELLED] * (len(asked) - 1) + [key] + [UNLABELLED] * len(answer)


def _unlabelled(tokens: list[int]) -> Segment:
    return Segment(
        tokens=tokens, targets=[False] * len(tokens), bindings=[UNLABELLED] * len(tokens)
    )
