"""What transformers' Trainer is given: examples by their place in the order, and arguments."""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import math
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import TrainingArguments

from sticflow_ml.contract import OptimizationSpec
from sticflow_ml.world import World

_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


# Fills up the micro-batches of a rank that has less to do than another.
NOBODY = -1


class OrderedPlaces(Dataset):
    """The order of training as one rank sees it; the objective makes tensors of a place itself."""

    def __init__(self, order: list[int], turns: list[int]) -> None:
        self._order = order
        self._turns = turns

    def __len__(self) -> int:
        return len(self._turns)

    def __getitem__(self, index: int) -> dict[str, int]:
        turn = self._turns[index]
        return {"turn": turn, "place": NOBODY if turn == NOBODY else self._order[turn]}


def collate_places(rows: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    """Columns `turn` (index in the order) and `place` (in the objective) of a micro-batch."""
    some = [row for row in rows if row["turn"] != NOBODY]
    return {
        name: torch.tensor([row[name] for row in some], dtype=torch.long)
        for name in ("turn", "place")
    }


def turns_of(world: World, num_examples: int, spec: OptimizationSpec) -> list[int]:
    """Indices of the order that a rank works through, in whole micro-batches.

    A global batch is cut into micro-batches as for one rank, and these are dealt out in turn: what
    depends on how it is cut, such as dropout, is then the same for any number of ranks.

    Example: 6 examples, global batch 4, micro-batch 1, 2 ranks: 0 2 4 - for the one, 1 3 5 - for the
    other.
    """
    if world.size == 1:
        return list(range(num_examples))
    size, steps = spec.micro_batch_size, accumulation_steps(spec, world)
    turns: list[int] = []
    for start in range(0, num_examples, spec.global_batch_size):
        batch = range(start, min(start + spec.global_batch_size, num_examples))
        cut = [batch[first : first + size] for first in range(0, len(batch), size)]
        own = cut[world.rank :: world.size]
        for step in range(steps):
            micro_batch = list(own[step]) if step < len(own) else []
            turns += micro_batch + [NOBODY] * (size - len(micro_batch))
    return turns


def accumulation_steps(spec: OptimizationSpec, world: World) -> int:
    """Micro-batches of one rank in a step."""
    return math.ceil(spec.global_batch_size / spec.micro_batch_size / world.size)


def trainer_arguments(
    spec: OptimizationSpec, output_dir: Path, num_examples: int, *, device: str, world: World
) -> TrainingArguments:
    """Translate a request's knobs; `num_examples` counts every pass over the data."""
    num_steps = math.ceil(num_examples / spec.global_batch_size)
    arguments = TrainingArguments(
        output_dir=str(output_dir),
        per_device_train_batch_size=spec.micro_batch_size,
        gradient_accumulation_steps=accumulation_steps(spec, world),
        num_train_epochs=1,  # passes are part of the order
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        warmup_steps=math.ceil(spec.warmup_ratio * num_steps),
        lr_scheduler_type=_SCHEDULERS[spec.lr_scheduler],
        max_grad_norm=spec.max_grad_norm,
        activation_checkpointing=spec.gradient_checkpointing,
        optim="adamw_torch",
        seed=spec.seed % 2**32,
        save_strategy="steps",
        save_steps=spec.save_steps,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device == "cuda",
        use_cpu=device == "cpu",
    )
    # To the library there is one process with one device; ranks meet between its steps (trainer.py).
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
