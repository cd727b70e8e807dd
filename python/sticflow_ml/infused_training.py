"""`train_infused`: fine-tuning on instructions that carry the policy's own description.

STIC, arXiv:2405.19716, algorithm 2; all assistant turns are learnt (STIC 993734e, stage 2). The
adapter of the request is continued, unmerged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.adapters import WarmPolicy
from sticflow_ml.contract import InfusedExample, TrainInfusedRequest
from sticflow_ml.forward import score
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch, answer_loss
from sticflow_ml.preparation import keep_fitting, prepare
from sticflow_ml.protocol import Reporter
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training, require_one_image, run_training
from sticflow_ml.world import World

# Examples that are measured between two writes; a crash costs at most these.
NUM_MEASURED_AT_ONCE = 32


def train_infused(
    request: TrainInfusedRequest,
    *,
    warm: WarmPolicy,
    reporter: Reporter,
    lifeline: Lifeline,
    world: World | None = None,
) -> None:
    """Write the adapter to `<work_dir>/output` and report the result.

    Raises:
        SticflowError: `DataInvalid`, `ModelInvalid`, `NonFiniteLoss`, `TrainingInvariant`.
        Stopped: SIGTERM came; a checkpoint is on disk.
    """
    examples = read_records(Path(request.examples_path), InfusedExample, key="example_id")
    for example in examples:
        require_one_image(example.example_id, example.messages)

    def prepare_examples(training: Training) -> tuple[Examples, dict[str, Any]]:
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
            reporter=reporter,
        )
        objective = Examples(
            training,
            [examples[place] for place in kept],
            [lines[place] for place in kept],
        )
        return objective, facts

    run_training(
        request,
        data_path=request.examples_path,
        warm=warm,
        reporter=reporter,
        lifeline=lifeline,
        world=world,
        prepare=prepare_examples,
    )


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

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Cross-entropy over the answer tokens of a micro-batch."""
        examples = [self._examples[place] for place in places]
        loaded = self._training.loaded
        rows = [_row(self._training, example) for example in examples]
        images = [self._training.images.get(example.images[0]) for example in examples]
        tensors = lay_out(rows, pad_token_id=loaded.chat.pad_token_id).to(loaded.device)
        logps_BN = score(model, loaded, tensors, images)
        return answer_loss(logps_BN[tensors.completion_BN == 0], batch=batch), {}


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
