"""Phase 2: the language model learns to look answers up in a text. No images.

First many terse look-ups, which show the two-step structure densely, then the natural questions.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import logging
import random

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from sticflow_ml.scenes.architecture import HIDDEN
from sticflow_ml.scenes.binding import BINDING_LAYER, CATEGORIES, BindingHeads, key_labels
from sticflow_ml.scenes.lessons import Lessons
from sticflow_ml.scenes.packing import PackedBatch, Row, Segment, pack
from sticflow_ml.scenes.schedules import warmup_flat_decay
from sticflow_ml.scenes.world import Scene, sample_objects

log = logging.getLogger(__name__)

ROWS_PER_STEP = 8
TERSE_STEPS_SHARE = 0.3
MUON_RATE, ADAM_RATE = 0.02, 3e-3
WARMUP_STEPS = 40
DECAY_SHARE = 0.3


class LanguageOptimizer:
    """Muon on the hidden matrices, AdamW on everything else, one schedule, clipped to norm 1."""

    def __init__(
        self,
        groups: dict[str, list[nn.Parameter]],
        rates: dict[str, float],
        *,
        steps: int,
        decay_share: float,
    ) -> None:
        self._weights = [weight for group in groups.values() for weight in group]
        others = [
            {"params": group, "lr": rates[name]}
            for name, group in groups.items()
            if name != "matrices"
        ]
        self._optimizers = [
            torch.optim.Muon(groups["matrices"], lr=rates["matrices"], momentum=0.95),
            torch.optim.AdamW(others, weight_decay=0.0, betas=(0.9, 0.98)),
        ]
        factor = warmup_flat_decay(min(WARMUP_STEPS, steps), steps, decay_share=decay_share)
        self._schedulers = [
            torch.optim.lr_scheduler.LambdaLR(part, factor) for part in self._optimizers
        ]

    def step(self, loss: torch.Tensor) -> None:
        """Take one step down the loss."""
        for part in self._optimizers:
            part.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for part in (*self._optimizers, *self._schedulers):
            part.step()


def split_weights(language_model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the hidden matrices, which Muon takes, and the rest."""
    matrices, rest = [], []
    for name, weight in language_model.named_parameters():
        (matrices if weight.ndim == 2 and "embed_tokens" not in name else rest).append(weight)
    return {"matrices": matrices, "rest": rest}


def next_token_loss(
    hidden_BTD: torch.Tensor, embeddings_VD: torch.Tensor, batch: PackedBatch
) -> torch.Tensor:
    """Return the weighted mean negative log-likelihood of the targets; only their logits are computed."""
    hidden_ND = hidden_BTD.flatten(0, 1)[batch.predictors_N]
    nll_N = F.cross_entropy(hidden_ND @ embeddings_VD.T, batch.targets_N, reduction="none")
    return (nll_N * batch.weights_N).sum() / batch.weights_N.sum()


def train_reading(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    *,
    steps: int,
) -> tuple[BindingHeads, dict[str, float]]:
    """Train the language model in place; return the binding heads, which phase 3 needs again, and the last measures."""
    language_model = model.model.language_model
    lessons = Lessons(tokenizer)
    heads = BindingHeads(HIDDEN)
    groups = split_weights(language_model)
    groups["rest"] = [*groups["rest"], *heads.parameters()]
    rates = {"matrices": MUON_RATE, "rest": ADAM_RATE}
    optimizer = LanguageOptimizer(groups, rates, steps=steps, decay_share=DECAY_SHARE)
    measures: dict[str, float] = {}
    for step in range(steps):
        terse = step < TERSE_STEPS_SHARE * steps
        rows = [
            _terse_row(lessons, rng) if terse else _natural_row(lessons, rng)
            for _ in range(ROWS_PER_STEP)
        ]
        batch = pack(rows, pad_token=tokenizer.pad_token_id)
        output = language_model(
            inputs_embeds=language_model.embed_tokens(batch.tokens_BT),
            attention_mask=batch.visible_B1TT,
            position_ids=batch.positions_BT,
            use_cache=False,
            output_hidden_states=True,
        )
        answers = next_token_loss(
            output.last_hidden_state, language_model.embed_tokens.weight, batch
        )
        hidden_TD = output.hidden_states[BINDING_LAYER].flatten(0, 1)
        labels_TC = batch.bindings_BTC.flatten(0, 1)
        bound = heads.loss(hidden_TD, labels_TC)
        optimizer.step(answers + bound)
        if step % 50 == 0 or step == steps - 1:
            measures = {"answers": answers.item(), **heads.accuracies(hidden_TD, labels_TC)}
            shown = {name: round(value, 3) for name, value in measures.items()}
            log.info("reading step %d binding %.3f %s", step, bound.item(), shown)
    return heads, measures


def _terse_row(lessons: Lessons, rng: random.Random) -> Row:
    scene = sample_objects(rng, rng.randint(3, 6))
    row = Row([lessons.text_root(scene, rng)])
    for segment in terse_questions(lessons, scene, 16, rng):
        row.add(segment)
    for segment in lessons.reading_questions(scene, 3, rng):
        row.add(segment)
    return row


def _natural_row(lessons: Lessons, rng: random.Random) -> Row:
    scene = sample_objects(rng, rng.randint(1, 4))
    row = Row([lessons.text_root(scene, rng)])
    for segment in terse_questions(lessons, scene, 2, rng):
        row.add(segment)
    for segment in lessons.reading_questions(scene, 8, rng):
        row.add(segment)
    return row


def terse_questions(
    lessons: Lessons, scene: Scene, number: int, rng: random.Random
) -> list[Segment]:
    """Return look-ups from place to attribute and from kind to place or size, in equal shares."""
    segments = []
    for place in range(number):
        item = rng.choice(scene.objects)
        kind_key = key_labels((("color", item.color), ("shape", item.shape)))
        if place % 2 == 0:
            attribute = rng.choice([name for name in CATEGORIES if name != "position"])
            key = key_labels((("position", item.position),))
            prompt, answer = f" {attribute} at {item.position}?", getattr(item, attribute)
        elif place % 4 == 1:
            key, prompt, answer = kind_key, f" Where {item.color} {item.shape}?", item.position
        else:
            key, prompt, answer = kind_key, f" size {item.color} {item.shape}?", item.size
        segments.append(lessons.terse(prompt, f" {answer}", key))
    return segments
