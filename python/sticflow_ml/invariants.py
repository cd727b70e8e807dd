"""Alarms of a training: what must be true before the first and after the last step."""

from __future__ import annotations

import math

import torch
from peft import PeftModel

from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel

# Largest |beta * log-ratio| that rounding alone can make of equal policies.
START_TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 0.5, torch.float16: 0.2}
CHUNK = 2**22


def check_lora_placement(loaded: LoadedModel, policy: PeftModel) -> None:
    """Refuse LoRA weights anywhere but in the language model.

    Raises:
        SticflowError: `TrainingInvariant` with the names.
    """
    decoder = {id(weight) for weight in loaded.model.get_decoder().parameters()}
    trained = {name: weight for name, weight in policy.named_parameters() if weight.requires_grad}
    astray = [name for name, weight in trained.items() if id(weight) not in decoder]
    if astray or not trained:
        raise SticflowError(
            "TrainingInvariant",
            "Expected trained weights in the language model and nowhere else, got "
            f"{', '.join(astray[:5]) or 'none at all'}.",
            names=astray[:50],
        )


def frozen_fingerprint(model: torch.nn.Module) -> str:
    """Fingerprint of every weight that must not change, in exact integer arithmetic.

    Two sums over the bits of each tensor, one of them weighted by place, computed where the tensor
    lies: a 7B base takes about a second on a GPU, where a sha256 of its bytes would take a minute.
    """
    sums: list[tuple[int, int]] = []
    for _name, weight in sorted(model.named_parameters()):
        if not weight.requires_grad:
            sums.append(_integer_sums(weight.detach()))
    total = 0
    for plain, weighted in sums:
        total = (total * 1_000_003 + plain * 31 + weighted) % 2**127
    return f"{total:032x}"


def check_frozen(before: str, model: torch.nn.Module) -> None:
    """Refuse a training that changed the base.

    Raises:
        SticflowError: `TrainingInvariant`.
    """
    if frozen_fingerprint(model) != before:
        raise SticflowError(
            "TrainingInvariant",
            "Expected the weights of the base to be the same after the training, but they changed. "
            "The adapter is not kept, because it belongs to another base.",
        )


def check_start(rewards: torch.Tensor, *, dtype: torch.dtype) -> None:
    """Refuse a reference that is not the policy the training starts from.

    At step 0 both are the same, so every reward is 0 and the DPO part of the loss is log 2 (trl
    issues 1340 and 495: a reference with the wrong adapter trains towards nothing, silently).

    Args:
        rewards: `beta * (policy - reference)` of some completions.
        dtype: Of the base; decides how much rounding may do.

    Raises:
        SticflowError: `TrainingInvariant`.
    """
    largest = float(rewards.abs().max())
    if not largest <= START_TOLERANCE[dtype]:
        raise SticflowError(
            "TrainingInvariant",
            "Expected policy and reference to agree before the first step (rewards 0, DPO loss "
            f"{math.log(2):.4f}), but a reward is {largest:.4g}. The reference log-probabilities "
            "belong to another policy; delete the work folder of this training.",
            largest_reward=largest,
        )


def _integer_sums(weight: torch.Tensor) -> tuple[int, int]:
    bits = {2: torch.int16, 4: torch.int32, 1: torch.uint8, 8: torch.int64}[weight.element_size()]
    flat = weight.contiguous().view(-1).view(bits)
    plain = weighted = 0
    for start in range(0, flat.numel(), CHUNK):
        chunk = flat[start : start + CHUNK].long()
        place = torch.arange(1, chunk.numel() + 1, device=chunk.device)
        # 32 bits times 22 bits times 2**22 places may wrap; it wraps the same way every time.
        plain += int(chunk.sum())
        weighted = weighted * 31 + int((chunk * place).sum())
    return plain, weighted
