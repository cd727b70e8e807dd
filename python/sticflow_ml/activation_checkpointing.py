"""Decide whether a training recomputes activations: gradient_checkpointing `auto`.

Recomputing costs about a third of the time, and memory that is not needed saves nothing.
"""

from __future__ import annotations

from sticflow_ml.contract import LoraSettings, OptimizationSpec
from sticflow_ml.devices import device_memory_bytes, fits
from sticflow_ml.memory import (
    Lora,
    Pass,
    dimensions,
    sharded_bytes,
    total,
    training_terms,
)
from sticflow_ml.model import LoadedModel
from sticflow_ml.objective import Objective


def is_checkpointed(
    spec: OptimizationSpec,
    lora: LoraSettings,
    loaded: LoadedModel,
    objective: Objective,
    *,
    capacity_bytes: int | None = None,
) -> bool:
    """Return what the request says; for `auto`, whether the estimate without exceeds the device.

    Args:
        spec: Micro-batch size and the wish.
        lora: Rank and layers of the adapter.
        loaded: The base, on its device.
        objective: Its longest examples make the largest pass.
        capacity_bytes: Of the device; None = ask it.
    """
    if spec.gradient_checkpointing != "auto":
        return spec.gradient_checkpointing
    lengths = sorted(objective.num_tokens, reverse=True)[: spec.micro_batch_size]
    sizes = dimensions(loaded.model.config)
    weights_bytes = sum(
        weight.nbytes for weight in loaded.model.parameters() if not weight.requires_grad
    )
    if spec.parallelism == "sharded":
        weights_bytes = sharded_bytes(
            sizes, weights_bytes, num_shards=spec.world_size or 1, dtype=loaded.spec.dtype
        )
    terms = training_terms(
        sizes,
        Lora(lora.r, lora.target_modules, bool(lora.use_dora)),
        # Every token counts as scored: which ones are, only the objective knows.
        Pass(len(lengths), lengths[0], sum(lengths)),
        weights_bytes=weights_bytes,
        dtype=loaded.spec.dtype,
        device=loaded.device.type,
        is_checkpointed=False,
    )
    if capacity_bytes is None:
        capacity_bytes = device_memory_bytes(loaded.device)
    return not fits(total(terms), capacity_bytes)
