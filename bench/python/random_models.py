"""Random-weight LLaVA models of real shape for the benchmark: real classes, real processors.

Nothing is downloaded. `cpu` keeps CLIP's 336 px and 576 image tokens, so that the share of image and
prompt in a row is that of a 7B; `1b` and `7b` have the shapes of Llama-3.2-1B and Mistral-7B with
CLIP ViT-L/14-336.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)

IMAGE_SIZE = 336
PATCH_SIZE = 14
# LLaVA-1.6's own pinpoints (llava-hf/llava-v1.6-mistral-7b-hf config.json).
PINPOINTS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}<s>[INST] "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %} [/INST]"
    "{% else %} {% for part in message['content'] %}{{ part['text'] }}{% endfor %}</s>{% endif %}"
    "{% endfor %}"
)
WORDS = (
    "the a red blue green small large dog cat tree house street with and near under over person "
    "walking holding umbrella bright cloudy scene background shows image several objects left right "
    "corner window car bicycle"
).split()


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of one benchmark model; names as in the configuration classes."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    vocabulary: int
    tower_hidden: int
    tower_layers: int
    tower_heads: int
    tower_mlp: int


SHAPES = {
    # A small vocabulary, because on the CPU TRL projects every place of a row to it, not only scored
    # ones as on CUDA: at this width a usual one would be half of its work, and the lead too large.
    "cpu": Shape(
        hidden=256, layers=4, heads=8, kv_heads=4, mlp=704, vocabulary=1024,
        tower_hidden=128, tower_layers=4, tower_heads=4, tower_mlp=512,
    ),
    # Llama-3.2-1B's language model with LLaVA's vocabulary, CLIP ViT-L/14-336.
    "1b": Shape(
        hidden=2048, layers=16, heads=32, kv_heads=8, mlp=8192, vocabulary=32064,
        tower_hidden=1024, tower_layers=24, tower_heads=16, tower_mlp=4096,
    ),
    # Mistral-7B language model with CLIP ViT-L/14-336.
    "7b": Shape(
        hidden=4096, layers=32, heads=32, kv_heads=8, mlp=14336, vocabulary=32064,
        tower_hidden=1024, tower_layers=24, tower_heads=16, tower_mlp=4096,
    ),
}  # fmt: skip


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train a tokenizer on `WORDS` with LLaVA's special tokens: about a token a word."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(WORDS)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )


def build(
    family: str, shape: Shape, *, device: str, dtype: torch.dtype, initializer_range: float = 0.02
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Make a random-weight model of `family` (`llava` or `llava_next`) and its processor."""
    tokenizer = build_tokenizer()
    text = LlamaConfig(
        hidden_size=shape.hidden, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, intermediate_size=shape.mlp, vocab_size=shape.vocabulary,
        max_position_embeddings=8192, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        initializer_range=initializer_range,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=shape.tower_hidden, num_hidden_layers=shape.tower_layers,
        num_attention_heads=shape.tower_heads, intermediate_size=shape.tower_mlp,
        image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, projection_dim=shape.tower_hidden,
    )  # fmt: skip
    common = {
        "text_config": text,
        "vision_config": vision,
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
    }
    crop = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    processor_options = {
        "tokenizer": tokenizer, "patch_size": PATCH_SIZE, "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1, "chat_template": CHAT_TEMPLATE,
    }  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        if family == "llava":
            model: PreTrainedModel = LlavaForConditionalGeneration(LlavaConfig(**common)).to(dtype)
            images = CLIPImageProcessorPil(size={"shortest_edge": IMAGE_SIZE}, crop_size=crop)
            return model, LlavaProcessor(image_processor=images, **processor_options)
        model = LlavaNextForConditionalGeneration(
            LlavaNextConfig(image_grid_pinpoints=PINPOINTS, **common)
        ).to(dtype)
        anyres = LlavaNextImageProcessorPil(
            size={"shortest_edge": IMAGE_SIZE}, crop_size=crop, image_grid_pinpoints=PINPOINTS
        )
        return model, LlavaNextProcessor(image_processor=anyres, **processor_options)
