"""The binding loss: after the second layer a token must know which object it belongs to.

Temporary linear heads name position, size, color and shape. On text: of the object that a description's token is part of, as far
as it was already read, and of the key that a question asks for, at the prompt's last token. On image tokens: of the object in the
patch's cell. Without it the tiny model never learnt to look an answer up in a description; the heads are not shipped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedTokenizerFast

from sticflow_ml.scenes.packing import IGNORED
from sticflow_ml.scenes.world import COLORS, POSITIONS, SHAPES, SIZES, Scene

CATEGORIES: dict[str, tuple[str, ...]] = {
    "position": POSITIONS,
    "size": SIZES,
    "color": COLORS,
    "shape": SHAPES,
}
BINDING_LAYER = 2  # of 4: the layers above do the looking up
PATCHES_PER_CELL_SIDE = 2

Labels = tuple[int, int, int, int]
UNLABELLED: Labels = (IGNORED, IGNORED, IGNORED, IGNORED)


class BindingHeads(nn.Module):
    """A norm and one linear classifier per category."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size)
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(hidden_size, len(words)) for name, words in CATEGORIES.items()}
        )

    def loss(self, hidden_TD: torch.Tensor, labels_TC: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy over all labelled (token, category) pairs; 0 without any."""
        normed_TD = self.norm(hidden_TD)
        summed = hidden_TD.new_zeros(())
        for column, classifier in enumerate(self.classifiers.values()):
            logits_TV = classifier(normed_TD)
            summed = summed + F.cross_entropy(
                logits_TV, labels_TC[:, column], ignore_index=IGNORED, reduction="sum"
            )
        return summed / (labels_TC != IGNORED).sum().clamp(min=1)

    @torch.no_grad()
    def accuracies(self, hidden_TD: torch.Tensor, labels_TC: torch.Tensor) -> dict[str, float]:
        """Return the share of right names per category, over the labelled tokens."""
        normed_TD = self.norm(hidden_TD)
        shares = {}
        for column, (name, classifier) in enumerate(self.classifiers.items()):
            labelled_T = labels_TC[:, column] != IGNORED
            right_T = classifier(normed_TD).argmax(-1) == labels_TC[:, column]
            shares[name] = (
                float(right_T[labelled_T].float().mean()) if labelled_T.any() else float("nan")
            )
        return shares


def key_labels(key: tuple[tuple[str, str], ...]) -> Labels:
    """Return the labels of what a question asks about.

    Example: (("color", "red"),) -> (-100, -100, 0, -100).
    """
    named = dict(key)
    return tuple(  # type: ignore[return-value]  # one entry per category
        words.index(named[name]) if name in named else IGNORED for name, words in CATEGORIES.items()
    )


class DescriptionLabeller:
    """Labels the tokens of a description with the object each belongs to, as far as it was already read."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._meaning = {
            tokenizer.encode(f" {word}")[0]: (column, number)
            for column, words in enumerate(CATEGORIES.values())
            for number, word in enumerate(words)
        }
        self._full_stop = tokenizer.encode(".")[0]

    def labels(self, tokens: list[int]) -> list[Labels]:
        """Return one label row per token; a position word opens an object, the full stop after it closes it."""
        current = list(UNLABELLED)
        labelled: list[Labels] = []
        for token in tokens:
            if token in self._meaning:
                column, number = self._meaning[token]
                if column == 0:
                    current = list(UNLABELLED)
                current[column] = number
            labelled.append(tuple(current))  # type: ignore[arg-type]  # always four
            if token == self._full_stop:
                current = list(UNLABELLED)
        return labelled


def patch_labels(scene: Scene) -> torch.Tensor:
    """Return the labels of the 36 patches, (36, 4), row by row; patches of empty cells are ignored."""
    cells = torch.full((len(POSITIONS), len(CATEGORIES)), IGNORED)
    for item in scene.objects:
        cells[POSITIONS.index(item.position)] = torch.tensor(
            [words.index(getattr(item, name)) for name, words in CATEGORIES.items()]
        )
    side = int(len(POSITIONS) ** 0.5)
    grid = cells.view(side, side, len(CATEGORIES))
    grid = grid.repeat_interleave(PATCHES_PER_CELL_SIDE, 0).repeat_interleave(
        PATCHES_PER_CELL_SIDE, 1
    )
    return grid.reshape(-1, len(CATEGORIES))
