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

_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class OrderedPlaces(Dataset):
    """The order of training as a data set; the objective makes tensors of a place itself."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> dict[str, int]:
        return {"rank": index, "place": self._order[index]}


def collate_places(rows: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    """Columns `rank` (in the order) and `place` (in the objective) of a micro-batch."""
    return {name: torch.tensor([row[name] for row in rows]) for name in ("rank", "place")}


def trainer_arguments(
    spec: OptimizationSpec, output_dir: Path, num_examples: int, *, device: str
) -> TrainingArguments:
    """Translate a request's knobs; `num_examples` counts every pass over the data."""
    num_steps = math.ceil(num_examples / spec.global_batch_size)
    arguments = TrainingArguments(
        output_dir=str(output_dir),
        per_device_train_batch_size=spec.micro_batch_size,
        gradient_accumulation_steps=spec.global_batch_size // spec.micro_batch_size,
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
    # One process, one device: never the library's DataParallel on a host with several GPUs.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
