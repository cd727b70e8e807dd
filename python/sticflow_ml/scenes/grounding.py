"""Phase 3: the language model learns to see, to describe in three styles and to answer; the tower is frozen.

Image tokens are pulled into the code that the reading circuits already use, by the binding heads of phase 2; describing and
answering then need little more than what reading has taught.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalSubscript=false
from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from sticflow_ml.scenes.architecture import NUM_PATCHES, pixel_values
from sticflow_ml.scenes.binding import BINDING_LAYER, BindingHeads, patch_labels
from sticflow_ml.scenes.curriculum import GroundingStep, Practice, grounding_steps
from sticflow_ml.scenes.lessons import Lessons
from sticflow_ml.scenes.packing import IGNORED, Row, pack
from sticflow_ml.scenes.prompts import Prompts
from sticflow_ml.scenes.reading import LanguageOptimizer, next_token_loss, split_weights
from sticflow_ml.scenes.world import Scene

log = logging.getLogger(__name__)

MUON_RATE, ADAM_RATE, PROJECTOR_RATE = 0.008, 1e-3, 2e-3
DECAY_SHARE = 0.35
NUM_CALIBRATION_IMAGES = 64

# (split, index, number of objects or None) -> scene and picture
ImageSource = Callable[[str, int, int | None], tuple[Scene, Image.Image]]


@dataclass(frozen=True)
class Grounding:
    """What phase 3 works on."""

    model: LlavaForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    heads: BindingHeads
    image_source: ImageSource
    prompts: Prompts


def train_grounding(
    work: Grounding, rng: random.Random, *, steps: int, num_instructions: int, seed: int
) -> dict[str, float]:
    """Train projector and language model in place; return the binding accuracies of the last image tokens."""
    model, language_model = work.model, work.model.model.language_model
    model.model.vision_tower.requires_grad_(False)
    work.heads.requires_grad_(False)
    _calibrate_projector(work)
    groups = {
        **split_weights(language_model),
        "projector": list(model.model.multi_modal_projector.parameters()),
    }
    rates = {"matrices": MUON_RATE, "rest": ADAM_RATE, "projector": PROJECTOR_RATE}
    optimizer = LanguageOptimizer(groups, rates, steps=steps, decay_share=DECAY_SHARE)
    practice = Practice(Lessons(work.tokenizer), work.prompts, rng, seed=seed)
    accuracies: dict[str, float] = {}
    for number, step in enumerate(grounding_steps(steps, num_instructions)):
        loss, accuracies = _loss(work, practice, step)
        optimizer.step(loss)
        if number % 50 == 0 or number == steps - 1:
            shown = {name: round(value, 2) for name, value in accuracies.items()}
            log.info("grounding step %d %s loss %.3f %s", number, step.stage, loss.item(), shown)
    model.model.vision_tower.requires_grad_(True)
    return accuracies


def _loss(
    work: Grounding, practice: Practice, step: GroundingStep
) -> tuple[torch.Tensor, dict[str, float]]:
    shown = [work.image_source(split, index, step.num_objects) for split, index in step.images]
    scenes = [scene for scene, _ in shown]
    rows: list[Row] = []
    for place, (split, index) in enumerate(step.images):
        rows += practice.rows(step.stage, scenes[place], split, index, image=place)
    batch = pack(rows, pad_token=work.tokenizer.pad_token_id)
    language_model = work.model.model.language_model
    embeddings_BTD = language_model.embed_tokens(batch.tokens_BT)
    features = work.model.get_image_features(
        pixel_values=pixel_values([image for _, image in shown])
    ).pooler_output
    begin = practice.image_offset
    with_image = [row for row, image in enumerate(batch.images_B) if image is not None]
    features_BPD = torch.stack([features[batch.images_B[row]] for row in with_image])
    image_slots_T = torch.zeros(batch.tokens_BT.shape, dtype=torch.bool)
    image_slots_T[with_image, begin : begin + NUM_PATCHES] = True
    embeddings_BTD = embeddings_BTD.masked_scatter(image_slots_T[..., None], features_BPD)
    output = language_model(
        inputs_embeds=embeddings_BTD,
        attention_mask=batch.visible_B1TT,
        position_ids=batch.positions_BT,
        use_cache=False,
        output_hidden_states=True,
    )
    answers = next_token_loss(output.last_hidden_state, language_model.embed_tokens.weight, batch)
    image_hidden_ND = output.hidden_states[BINDING_LAYER][image_slots_T]
    labels_NC = torch.cat([patch_labels(scenes[batch.images_B[row]]) for row in with_image])
    accuracies = work.heads.accuracies(image_hidden_ND, labels_NC)
    assert (labels_NC != IGNORED).any(), "every scene has an object"
    loss = answers + work.heads.loss(image_hidden_ND, labels_NC)
    return loss, {**accuracies, "answers": answers.item()}


@torch.no_grad()
def _calibrate_projector(work: Grounding) -> None:
    """Fold a standardisation of the tower's channels into the projector and give its output the size of word embeddings.

    The tower's tokens have norms near 40; unscaled they drown the words.
    """
    model = work.model.model
    images = [
        work.image_source("pretraining", index, None)[1] for index in range(NUM_CALIBRATION_IMAGES)
    ]
    features_ND = (
        model.vision_tower(pixel_values=pixel_values(images)).last_hidden_state[:, 1:].flatten(0, 1)
    )
    mean_D, deviation_D = features_ND.mean(0), features_ND.std(0)
    projector = model.multi_modal_projector
    first, second = projector.linear_1, projector.linear_2
    first.weight.normal_(0, first.in_features**-0.5)
    second.weight.normal_(0, second.in_features**-0.5)
    second.bias.zero_()
    first.weight.div_(deviation_D)
    first.bias.copy_(-(first.weight @ mean_D))
    scale = model.language_model.embed_tokens.weight.std() / projector(features_ND).std()
    second.weight.mul_(scale)
