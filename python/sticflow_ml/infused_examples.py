"""Instructions that carry a description, as an objective: tokens, lengths and log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.contract import InfusedExample
from sticflow_ml.forward import Sharing, score
from sticflow_ml.images import ProcessedImage
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch, answer_loss
from sticflow_ml.packing import pack, probe_packing
from sticflow_ml.preparation import keep_fitting, prepare
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training, require_one_image

# Examples that are measured between two writes; a crash costs at most these.
NUM_MEASURED_AT_ONCE = 32


def read_examples(path: Path) -> list[InfusedExample]:
    """Read examples, each with one image in its first turn.

    Raises:
        SticflowError: `DataInvalid`, with the line or the example.
    """
    examples = read_records(path, InfusedExample, key="example_id")
    for example in examples:
        require_one_image(example.example_id, example.messages)
    return examples


def open_examples(
    training: Training, examples: list[InfusedExample]
) -> tuple[Examples, dict[str, Any]]:
    """Measure the examples and keep those that fit; also how many did not."""
    lines = prepare(
        examples,
        lambda group: [_measured(training, example) for example in group],
        path=training.workplace.work_dir / "lengths.jsonl",
        fingerprint=training.fingerprint(),
        group_size=NUM_MEASURED_AT_ONCE,
        workplace=training.workplace,
    )
    kept, facts = keep_fitting(
        [example.example_id for example in examples],
        [line["num_tokens"] for line in lines],
        max_length=training.max_length,
        reporter=training.workplace.reporter,
    )
    objective = Examples(
        training, [examples[place] for place in kept], [lines[place] for place in kept]
    )
    if training.request.optimization.batching == "packed":
        facts |= objective.try_packing()
    return objective, facts


class Examples:
    """The conversations that fit, as an objective."""

    def __init__(
        self,
        training: Training,
        examples: Sequence[InfusedExample],
        lines: list[dict[str, Any]],
    ) -> None:
        self._training = training
        self._examples = examples
        self.example_ids = [example.example_id for example in examples]
        self.num_tokens = [line["num_tokens"] for line in lines]
        self.num_target_tokens = [line["num_target_tokens"] for line in lines]
        self._is_packed = False

    def try_packing(self) -> dict[str, Any]:
        """Pack micro-batches from here on, where the family allows it; return what training.json says."""
        by_length = sorted(range(len(self._examples)), key=lambda place: self.num_tokens[place])
        shortest = [self._examples[place] for place in by_length[:2]]
        rows, images = self._rows(shortest)
        if len(shortest) < 2:
            found = Sharing(False, "there is one example only")
        else:
            found = probe_packing(self._training.loaded, rows, images)
        self._is_packed = found.is_shared
        if not found.is_shared:
            self._training.workplace.reporter.notice(
                "not_packed", f"examples are padded instead: {found.reason}"
            )
        return {"packed": found.is_shared, "packed_reason": found.reason}

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Cross-entropy over the answer tokens of a micro-batch."""
        logps_BN, is_learnt_BN = self.logps(model, places)
        return answer_loss(logps_BN[is_learnt_BN], batch=batch), {}

    def logps(self, model: torch.nn.Module, places: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities (B, N) of the answer tokens, and which of them there are; packed, B is 1."""
        examples = [self._examples[place] for place in places]
        loaded = self._training.loaded
        rows, images = self._rows(examples)
        if self._is_packed and len(rows) > 1:
            tensors = pack(rows)
        else:
            tensors = lay_out(rows, pad_token_id=loaded.chat.pad_token_id)
        tensors = tensors.to(loaded.device)
        return score(model, loaded, tensors, images), tensors.completion_BN >= 0

    def _rows(self, examples: Sequence[InfusedExample]) -> tuple[list[Row], list[ProcessedImage]]:
        return (
            [_row(self._training, example) for example in examples],
            [self._training.images.get(example.images[0]) for example in examples],
        )


def _measured(training: Training, example: InfusedExample) -> dict[str, Any]:
    row = _row(training, example)
    assert row.is_trained is not None, "_row says which tokens are learnt"
    return {
        "example_id": example.example_id,
        "num_tokens": row.num_tokens,
        "num_target_tokens": sum(row.is_trained[0]),
    }


def _row(training: Training, example: InfusedExample) -> Row:
    """Tokens of a conversation: everything after the first prompt is one completion."""
    loaded = training.loaded
    image = training.images.get(example.images[0], encoded=False)
    ids, turns = loaded.chat.conversation_ids(example.messages, image.replacement)
    first = turns[0].start
    is_trained = [
        any(turn.start <= place < turn.end for turn in turns) for place in range(first, len(ids))
    ]
    positions_AT = loaded.positions(ids[:first], image.inputs)
    return Row(ids[:first], [ids[first:]], positions_AT, [is_trained])
