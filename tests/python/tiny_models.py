"""Random-weight checkpoints of the real model classes, a few hundred kilobytes each.

Everything is made locally: configuration, weights, tokenizer, image processor, chat template.
Tests import `build`; end-to-end tests run `python tests/python/tiny_models.py llava_next OUT_DIR`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SPECIAL_TOKENS = [
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    "<image>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<global-img>",
    *[f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)],
]
CORPUS = [
    "Describe the image step by step. Count the objects, give the position of each.",
    "There are 3 objects. top-left: a large red cross. The background is striped.",
    "What color is the triangle? white. Is there a red cross? yes. no. How many objects?",
    "USER: ASSISTANT: [INST] [/INST] User: Assistant: Image description:\n",
]

# LLaVA-1.5 by llava-hf writes no stop token after an answer; its original training did.
LLAVA_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | upper }}: "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }} {% endfor %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
# As llava-v1.6-mistral: the template writes <s> itself, and </s> after each answer.
MISTRAL_TEMPLATE = (
    "<s>{% for message in messages %}"
    "{% if message['role'] == 'user' %}[INST] "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    " [/INST]"
    "{% else %}"
    "{% for part in message['content'] if part['type'] == 'text' %} {{ part['text'] }}"
    "{% endfor %}</s>"
    "{% endif %}{% endfor %}"
)
IDEFICS_TEMPLATE = (
    "<s>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %} {{ part['text'] }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


@dataclass(frozen=True)
class Geometry:
    """Sizes in pixels that decide how many tokens an image has; `grid` is of LLaVA-NeXT."""

    image_size: int = 32
    patch_size: int = 8
    grid: tuple[tuple[int, int], ...] = ((32, 64), (64, 32), (64, 64))


SMALL = Geometry()
# As llava-hf's checkpoints have it (preprocessor_config.json).
CLIP_336 = Geometry(336, 14, ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)))


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer: any text survives a round trip."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
        additional_special_tokens=SPECIAL_TOKENS[5:],
    )


def _text_config(words: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        # Wide enough that a random model says different things about different images.
        initializer_range=0.3,
    )


def _vision_config(geometry: Geometry) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=geometry.image_size,
        patch_size=geometry.patch_size,
        initializer_range=0.3,
    )


def _llava(words: PreTrainedTokenizerFast, geometry: Geometry):
    side = geometry.image_size
    config = LlavaConfig(
        vision_config=_vision_config(geometry),
        text_config=_text_config(words),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
    )
    images = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=geometry.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    return LlavaForConditionalGeneration(config), processor


def _llava_next(words: PreTrainedTokenizerFast, geometry: Geometry):
    side, grid = geometry.image_size, [list(size) for size in geometry.grid]
    config = LlavaNextConfig(
        vision_config=_vision_config(geometry),
        text_config=_text_config(words),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=grid,
        vision_feature_layer=-2,
    )
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_grid_pinpoints=grid,
    )
    processor = LlavaNextProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=geometry.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=MISTRAL_TEMPLATE,
    )
    return LlavaNextForConditionalGeneration(config), processor


def _idefics3(words: PreTrainedTokenizerFast, _geometry: Geometry):
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        text_config=_text_config(words),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
    )
    processor = Idefics3Processor(
        image_processor=images,
        tokenizer=words,
        image_seq_len=4,
        chat_template=IDEFICS_TEMPLATE,
    )
    return Idefics3ForConditionalGeneration(config), processor


FAMILIES = {"llava": _llava, "llava_next": _llava_next, "idefics3": _idefics3}


def build(family: str, folder: Path, *, seed: int = 0, geometry: Geometry = SMALL) -> Path:
    """Write a checkpoint of `family` into `folder` and return the folder."""
    torch.manual_seed(seed)
    words = tokenizer()
    model, processor = FAMILIES[family](words, geometry)
    model.generation_config.eos_token_id = (
        words.convert_tokens_to_ids("<end_of_utterance>")
        if family == "idefics3"
        else words.eos_token_id
    )
    model.generation_config.pad_token_id = words.pad_token_id
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in FAMILIES:
        sys.exit(f"usage: tiny_models.py {'|'.join(FAMILIES)} OUT_DIR")
    build(sys.argv[1], Path(sys.argv[2]))
