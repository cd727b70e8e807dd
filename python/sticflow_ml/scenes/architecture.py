"""The tiny LLaVA's architecture, processor and files. Standard `transformers` classes only: the Auto classes load the folder."""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from sticflow_ml.scenes.tokenizer import MAX_POSITIONS
from sticflow_ml.scenes.world import IMAGE_SIZE_PIXELS

PATCH_PIXELS = 16
NUM_PATCHES = (IMAGE_SIZE_PIXELS // PATCH_PIXELS) ** 2
PLACE_CODE_STD = 0.25
HIDDEN = 128  # 1.7 times faster to train than 192, and enough
IMAGE_MEAN = IMAGE_STD = 0.5
FILE_MODE = 0o644
SHIPPED_MODEL = Path(__file__).parent / "model"


def build_config(tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    """Return the configuration: CLIP tower, two-layer GELU projector, small Llama with tied embeddings."""
    vision = CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_SIZE_PIXELS,
        patch_size=PATCH_PIXELS,
        projection_dim=HIDDEN,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=HIDDEN // 4,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=NUM_PATCHES,
        # The last layer: the default -2 would leave the last of four layers unused.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Return the model with fresh weights from torch's current random state; tower as transformers initialises it."""
    model = LlavaForConditionalGeneration(build_config(tokenizer))
    _initialise_language_model(model)
    _initialise_places(model)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=96,  # the longest caption has 48 tokens
    )
    return model


@torch.no_grad()
def _initialise_language_model(model: LlavaForConditionalGeneration) -> None:
    """Scale by fan-in, and the residual branches' ends by .35: reading was not learnt from the library's 0.02."""
    language_model = model.model.language_model
    for name, weight in language_model.named_parameters():
        if weight.ndim == 2 and "embed_tokens" not in name:
            weight.normal_(0, 1 / math.sqrt(weight.shape[1]))
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_(0.35)
    language_model.embed_tokens.weight.normal_(0, 0.07)


@torch.no_grad()
def _initialise_places(model: LlavaForConditionalGeneration) -> None:
    """Give patches of one row, and of one column, related place codes as large as the patches' own.

    The library's 0.02 drowns in the patch embeddings: the tower was then slow to join the four patches of a cell.
    """
    side = IMAGE_SIZE_PIXELS // PATCH_PIXELS
    rows, columns = torch.randn(2, side, HIDDEN) * PLACE_CODE_STD
    codes = (rows[:, None] + columns[None]).reshape(NUM_PATCHES, HIDDEN)
    model.model.vision_tower.embeddings.position_embedding.weight[1:] = codes


def build_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Return the processor; images of any size are resized and center-cropped to 96 x 96."""
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE_PIXELS},
        crop_size={"height": IMAGE_SIZE_PIXELS, "width": IMAGE_SIZE_PIXELS},
        image_mean=[IMAGE_MEAN] * 3,
        image_std=[IMAGE_STD] * 3,
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=PATCH_PIXELS,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which the "default" strategy drops again
        image_token="<image>",
        chat_template=tokenizer.chat_template,
    )


def save(out: Path, model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> None:
    """Write the folder that `from_pretrained` reads: fp32 safetensors, configuration, processor, tokenizer."""
    model.save_pretrained(out)
    processor.save_pretrained(out)
    _pin_image_backend(out / "processor_config.json")
    for path in out.iterdir():
        if path.is_file():
            path.chmod(FILE_MODE)  # save_pretrained makes the weights private


def _pin_image_backend(path: Path) -> None:
    """Name the PIL class: under its general name transformers takes torchvision's where that is installed."""
    config = json.loads(path.read_text())
    config["image_processor"]["image_processor_type"] = CLIPImageProcessorPil.__name__
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def pixel_values(images: Sequence[Image.Image]) -> torch.Tensor:
    """Return PIL images as the processor would, (B, 3, 96, 96); without its cost per image."""
    pixels_BHWC = torch.from_numpy(np.stack([np.asarray(image) for image in images])).float()
    return ((pixels_BHWC / 255 - IMAGE_MEAN) / IMAGE_STD).permute(0, 3, 1, 2).contiguous()


def num_parameters(module: nn.Module) -> int:
    """Count each tied weight once."""
    return sum(weight.numel() for weight in module.parameters())
