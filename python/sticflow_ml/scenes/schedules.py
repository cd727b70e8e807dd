"""Learning-rate schedules of the pre-training, as factors of the peak rate."""

from __future__ import annotations

import math
from collections.abc import Callable


def warmup_cosine(warmup_steps: int, total_steps: int) -> Callable[[int], float]:
    """Rise linearly, then fall along half a cosine to 0."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


def warmup_flat_decay(
    warmup_steps: int, total_steps: int, *, decay_share: float
) -> Callable[[int], float]:
    """Rise linearly, stay, then fall linearly to 0 over the last `decay_share` of the steps."""
    decay_steps = max(1, round(decay_share * total_steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup_steps, (total_steps - step) / decay_steps)

    return factor
