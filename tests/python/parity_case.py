"""One training step that ours and TRL's trainer take alike, for the test and for its oracle."""

from __future__ import annotations

from typing import Any

import torch

FAMILY = "llava_next"
NUM_PAIRS = 4
BETA, CHOSEN_NLL_WEIGHT = 0.1, 0.5
LORA_SETTINGS = {
    "r": 4,
    "alpha": 8,
    "dropout": 0.0,
    "target_modules": ["q_proj", "v_proj", "down_proj"],
}


def set_adapter(policy: torch.nn.Module) -> None:
    """Give the adapter seeded weights: with untrained ones the loss of any code is log 2."""
    noise = torch.Generator().manual_seed(0)
    for _name, parameter in _trained(policy):
        parameter.data = 0.05 * torch.randn(parameter.shape, generator=noise)


def gradient_facts(policy: torch.nn.Module) -> dict[str, dict[str, float]]:
    """Norm of every gradient, and its product with a seeded direction of length 1."""
    facts = {}
    for number, (name, parameter) in enumerate(_trained(policy)):
        assert parameter.grad is not None, name
        gradient = parameter.grad.double().flatten()
        noise = torch.Generator().manual_seed(number)
        direction = torch.randn(gradient.shape, generator=noise, dtype=torch.float64)
        facts[name] = {
            "norm": float(gradient.norm()),
            "along": float(gradient @ direction / direction.norm()),
        }
    return facts


def _trained(policy: torch.nn.Module) -> list[tuple[str, Any]]:
    named = [(name, one) for name, one in policy.named_parameters() if one.requires_grad]
    return sorted(named, key=lambda pair: pair[0])
