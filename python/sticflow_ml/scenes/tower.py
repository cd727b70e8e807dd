"""Phase 1: the vision tower learns to name what is in each patch's cell. Temporary heads, freshly rendered images only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from sticflow_ml.scenes.architecture import HIDDEN, pixel_values
from sticflow_ml.scenes.binding import CATEGORIES, patch_labels
from sticflow_ml.scenes.packing import IGNORED
from sticflow_ml.scenes.schedules import warmup_cosine
from sticflow_ml.scenes.world import BACKGROUNDS, Scene

if TYPE_CHECKING:
    from PIL import Image
    from transformers import LlavaForConditionalGeneration

log = logging.getLogger(__name__)

BATCH = 64
LEARNING_RATE = 2e-3
WARMUP_STEPS = 50
POSITION_WEIGHT = 0.3  # learnt in a few steps: it only has to stay in the features

ImageSource = Callable[[int], tuple[Scene, "Image.Image"]]


class _PatchHeads(nn.Module):
    """Classify each patch (category, or "empty" as the last class) and, from the class token, the background."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(HIDDEN)
        self.patch = nn.ModuleDict(
            {name: nn.Linear(HIDDEN, len(words) + 1) for name, words in CATEGORIES.items()}
        )
        self.background = nn.Linear(HIDDEN, len(BACKGROUNDS))


def train_tower(
    model: LlavaForConditionalGeneration, image_source: ImageSource, *, steps: int
) -> dict[str, float]:
    """Train the tower in place.

    Args:
        model: Only its vision tower is touched.
        image_source: Renders the image of a number; each number is asked for once.
        steps: Number of optimizer steps of 64 images.

    Returns:
        Accuracies over the last batches, which were new to the tower as all others.
    """
    tower = model.model.vision_tower
    heads = _PatchHeads()
    weights = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(WARMUP_STEPS, steps))
    measured: list[dict[str, float]] = []
    for step in range(steps):
        scenes, images = zip(
            *(image_source(step * BATCH + place) for place in range(BATCH)), strict=True
        )
        loss, accuracies = _loss(tower, heads, list(scenes), list(images))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        scheduler.step()
        measured.append(accuracies)
        if step % 50 == 0 or step == steps - 1:
            log.info("tower step %d loss %.3f %s", step, loss.item(), _rounded(accuracies))
    last = measured[-5:]
    return {name: sum(row[name] for row in last) / len(last) for name in last[0]}


def _loss(
    tower: nn.Module, heads: _PatchHeads, scenes: list[Scene], images: list[Image.Image]
) -> tuple[torch.Tensor, dict[str, float]]:
    hidden_BPD = tower(pixel_values=pixel_values(images)).last_hidden_state
    normed_BPD = heads.norm(hidden_BPD)
    labels_BPC = torch.stack([patch_labels(scene) for scene in scenes])
    background_B = torch.tensor([BACKGROUNDS.index(scene.background) for scene in scenes])
    background_logits = heads.background(normed_BPD[:, 0])
    loss = F.cross_entropy(background_logits, background_B)
    accuracies = {
        "background": float((background_logits.argmax(-1) == background_B).float().mean())
    }
    patches_ND = normed_BPD[:, 1:].flatten(0, 1)
    for column, (name, classifier) in enumerate(heads.patch.items()):
        labels_N = labels_BPC[..., column].flatten()
        filled_N = labels_N != IGNORED
        logits_NV = classifier(patches_ND)
        empty_class = logits_NV.shape[-1] - 1
        weight = POSITION_WEIGHT if name == "position" else 1.0
        loss = loss + weight * F.cross_entropy(
            logits_NV, labels_N.masked_fill(~filled_N, empty_class)
        )
        accuracies[name] = float((logits_NV.argmax(-1) == labels_N)[filled_N].float().mean())
    return loss, accuracies


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
