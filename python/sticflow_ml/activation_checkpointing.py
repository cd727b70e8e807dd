"""Decide whether a training recomputes activations: gradient_checkpointing `auto`.

Recomputing costs about a third of the time, and memory that is not needed saves nothing.
"""

from __future__ import annotations

import torch

from sticflow_ml.contract import LoraSettings, OptimizationSpec
from sticflow_ml.devices import device_memory_bytes, fits
from sticflow_ml.memory import (
    BLOCK,
    SIZE_BYTES,
    Lora,
    Pass,
    dimensions,
    packed_bytes,
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
    is_full: bool = False,
    capacity_bytes: int | None = None,
) -> bool:
    """Return what the request says; for `auto`, whether the estimate without exceeds the device.

    Args:
        spec: Micro-batch size and the wish.
        lora: Rank and layers of the adapter.
        loaded: The base, on its device.
        objective: Its longest examples make the largest pass.
        is_full: The language model is trained instead of an adapter.
        capacity_bytes: Of the device; None = ask it.
    """
    if spec.gradient_checkpointing != "auto":
        return spec.gradient_checkpointing
    lengths = sorted(objective.num_tokens, reverse=True)[: spec.micro_batch_size]
    sizes = dimensions(loaded.model.config)
    dtype = loaded.spec.dtype
    weights_bytes = SIZE_BYTES[dtype] * sum(
        # Two of 4 bits share a byte.
        weight.numel() * (2 if weight.dtype == torch.uint8 else 1)
        for weight in loaded.model.parameters()
        if not weight.requires_grad
    )
    if spec.parallelism == "sharded":
        weights_bytes = sharded_bytes(
            sizes, weights_bytes, num_shards=spec.world_size or 1, dtype=dtype
        )
    if loaded.spec.quantization is not None:
        weights_bytes = packed_bytes(sizes, weights_bytes, dtype=dtype)
    trained = Lora(lora.r, lora.target_modules, bool(lora.use_dora))
    terms = training_terms(
        sizes,
        Lora(0, BLOCK, is_full=True) if is_full else trained,
        # Every token counts as scored: which ones are, only the objective knows.
        Pass(len(lengths), lengths[0], sum(lengths)),
        weights_bytes=weights_bytes,
        dtype=dtype,
        device=loaded.device.type,
        is_checkpointed=False,
    )
    if capacity_bytes is None:
        capacity_bytes = device_memory_bytes(loaded.device)
    return not fits(total(terms), capacity_bytes)
