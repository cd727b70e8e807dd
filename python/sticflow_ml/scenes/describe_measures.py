r"""Read objects out of a description and compare them with the truth. Used by the pre-training gates.

The product scores descriptions in TypeScript; both readers are tested against `tests/fixtures/scenes/description-cases.jsonl`
and follow the rules of `docs/scenes.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sticflow_ml.scenes.language import THINGS
from sticflow_ml.scenes.world import COLORS, POSITIONS, SHAPES, SIZES


@dataclass(frozen=True)
class Mention:
    """An object as a text names it; size and position are None where the text does not say."""

    shape: str
    color: str
    size: str | None
    position: str | None


@dataclass(frozen=True)
class Reading:
    """What a text claims: the first mention of each (color, shape), in the text's order, and each thing once."""

    objects: tuple[Mention, ...]
    things: tuple[str, ...]


@dataclass(frozen=True)
class DescriptionCounts:
    """Counts of one description; a claim is a (color, shape) or a thing."""

    num_claims: int
    num_right: int
    num_true: int

    @property
    def hallucinated(self) -> bool:
        """True when the text claims something that is not in the image."""
        return self.num_right < self.num_claims


@dataclass(frozen=True)
class DescriptionScores:
    """Measures over many descriptions, each 0 to 1: counts are summed before they are divided."""

    precision: float
    recall: float
    f1: float
    hallucination: float


def _choice(words: Sequence[str]) -> str:
    # Longest first, so that "top" does not take the beginning of "top-left".
    return "|".join(sorted(words, key=len, reverse=True))


_FLAGS = re.IGNORECASE | re.ASCII  # as JavaScript's /i without /u: only A-Z and a-z are equal
_EDGE_LEFT, _EDGE_RIGHT = "(?<![a-z0-9_-])", "(?![a-z0-9_-])"
_GAP = "[ \\t\\r\\n]+"
_OBJECT = re.compile(
    f"{_EDGE_LEFT}(?:({_choice(POSITIONS)})[ \\t\\r\\n]*:[ \\t\\r\\n]*)?(?:an?{_GAP})?(?:({_choice(SIZES)}){_GAP})?"
    f"({_choice(COLORS)}){_GAP}({_choice(SHAPES)}){_EDGE_RIGHT}",
    _FLAGS,
)
_THING = re.compile(f"{_EDGE_LEFT}an?{_GAP}({_choice(THINGS)}){_EDGE_RIGHT}", _FLAGS)


def read_description(text: str) -> Reading:
    """Extract what a text claims; any text is allowed, and a text without claims gives an empty reading."""
    first: dict[tuple[str, str], Mention] = {}
    for groups in _OBJECT.findall(text):
        position, size, color, shape = (group.lower() for group in groups)
        first.setdefault((color, shape), Mention(shape, color, size or None, position or None))
    return Reading(
        tuple(first.values()), tuple(dict.fromkeys(thing.lower() for thing in _THING.findall(text)))
    )


def count_claims(text: str, true_kinds: Iterable[tuple[str, str]]) -> DescriptionCounts:
    """Count the claims of a text against the (color, shape) pairs that are in the image."""
    truth = set(true_kinds)
    reading = read_description(text)
    claimed = {(item.color, item.shape) for item in reading.objects}
    return DescriptionCounts(
        num_claims=len(claimed) + len(reading.things),
        num_right=len(claimed & truth),
        num_true=len(truth),
    )


def score_descriptions(counts: Sequence[DescriptionCounts]) -> DescriptionScores:
    """Sum the counts of many images into precision, recall, F1 and the share of images with a false claim.

    Raises:
        ValueError: Without any description.
    """
    if not counts:
        raise ValueError("Expected at least one description to score, got none.")
    num_claims, num_right, num_true = (
        sum(getattr(row, field) for row in counts)
        for field in ("num_claims", "num_right", "num_true")
    )
    return DescriptionScores(
        precision=num_right / num_claims if num_claims else 0.0,
        recall=num_right / num_true,
        f1=2 * num_right / (num_claims + num_true),
        hallucination=sum(row.hallucinated for row in counts) / len(counts),
    )
