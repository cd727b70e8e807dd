"""Checks on training examples and models that both trainings make before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel

Record = TypeVar("Record")
Row = TypeVar("Row")


def longest_allowed(max_length: int | None, loaded: LoadedModel) -> int:
    """Tokens, image tokens included, that an example may have: the config's limit or the model's."""
    own = loaded.model.config.get_text_config(decoder=True).max_position_embeddings
    return own if max_length is None else min(own, max_length)


def fitting(
    examples: Iterable[tuple[str, Record, Row]], *, limit: int, length: Callable[[Row], int]
) -> tuple[list[tuple[Record, Row]], list[str]]:
    """Keep what fits; an example that is cut would teach the model to stop in mid-sentence.

    Returns:
        Kept records with their rows, and the ids of those that are too long.

    Raises:
        SticflowError: `DataInvalid` when nothing is left.
    """
    kept: list[tuple[Record, Row]] = []
    dropped: list[str] = []
    for example_id, record, row in examples:
        if length(row) <= limit:
            kept.append((record, row))
        else:
            dropped.append(example_id)
    if not kept:
        raise SticflowError(
            "DataInvalid",
            f"Expected at least one example of at most {limit} tokens, but all {len(dropped)} are "
            "longer or there is none. Raise max_length or lower generation.max_new_tokens.",
        )
    return kept, dropped


def require_language_model_only(loaded: LoadedModel) -> None:
    """Make sure that every trainable weight lies in the language model.

    Raises:
        SticflowError: `TrainingInvariant` naming the first one that does not.
    """
    decoder = loaded.model.get_decoder()
    inside = {id(parameter) for parameter in decoder.parameters()}
    for name, parameter in loaded.model.named_parameters():
        if parameter.requires_grad and id(parameter) not in inside:
            raise SticflowError(
                "TrainingInvariant",
                f"Expected only the language model to be trained, but {name} is trainable as well.",
            )
