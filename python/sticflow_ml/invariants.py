"""Alarms of a training: what must be true before, in and after its steps."""

from __future__ import annotations

import math

import torch
from peft import PeftModel

from sticflow_ml.errors import SticflowError
from sticflow_ml.full_finetuning import language_model_weights
from sticflow_ml.model import LoadedModel
from sticflow_ml.sharding import on_this_rank

# Largest |beta * log-ratio| that rounding alone can make of equal policies.
START_TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 0.5, torch.float16: 0.2}
CHUNK = 2**22


def check_lora_placement(loaded: LoadedModel, policy: PeftModel) -> None:
    """Refuse trained weights anywhere but in the language model.

    Raises:
        SticflowError: `TrainingInvariant` with the names.
    """
    own = language_model_weights(loaded)
    trained = {name: weight for name, weight in policy.named_parameters() if weight.requires_grad}
    astray = [name for name, weight in trained.items() if id(weight) not in own]
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
    lies: a 7B base takes about a second on a GPU, where a sha256 of its bytes would take a minute. Of a
    base that ranks share out, each sees its own part.
    """
    named = sorted(model.named_parameters())
    return _fingerprint([weight for _, weight in named if not weight.requires_grad])


def trained_fingerprint(model: torch.nn.Module) -> str:
    """Fingerprint of every weight that is trained, as `frozen_fingerprint`."""
    named = sorted(model.named_parameters())
    return _fingerprint([weight for _, weight in named if weight.requires_grad])


def check_ranks_agree(fingerprints: list[str]) -> None:
    """Refuse a training whose ranks have come to different adapters.

    Raises:
        SticflowError: `TrainingInvariant`.
    """
    if len(set(fingerprints)) > 1:
        raise SticflowError(
            "TrainingInvariant",
            f"Expected all {len(fingerprints)} ranks to end with the same adapter, but they differ: "
            "their gradients were not added up alike. Train with world_size 1, and please report "
            "this.",
            fingerprints=fingerprints,
        )


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


def require_finite(
    value: float, what: str, *, step: int, command: str, example_ids: list[str]
) -> None:
    """Refuse a step whose loss or gradient is not a number.

    Raises:
        SticflowError: `NonFiniteLoss` with step and examples.
    """
    if math.isfinite(value):
        return
    raise SticflowError(
        "NonFiniteLoss",
        f"Expected a finite {what} at step {step}, got {value}, from "
        f"{', '.join(example_ids[:8])}. Lower {command}.learning_rate, use dtype bfloat16 or "
        "float32, or look at these examples.",
        step=step,
        example_ids=example_ids[:64],
    )


def require_gradient(norm: float, *, step: int, example_ids: list[str]) -> None:
    """Refuse a step without a gradient: an adapter without effect would "train" for hours, silently.

    Raises:
        SticflowError: `TrainingInvariant`.
    """
    if norm > 0:
        return
    raise SticflowError(
        "TrainingInvariant",
        f"Expected the adapter to get a gradient at step {step}, got exactly 0: the loss does "
        f"not depend on it. Look at the examples {', '.join(example_ids[:8])}; if they are sound, "
        "please report this.",
        step=step,
    )


def _fingerprint(weights: list[torch.nn.Parameter]) -> str:
    total = 0
    for weight in weights:
        plain, weighted = _integer_sums(on_this_rank(weight.detach()))
        total = (total * 1_000_003 + plain * 31 + weighted) % 2**127
    return f"{total:032x}"


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
