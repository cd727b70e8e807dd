"""Estimate the memory of a training or a generation from the model's dimensions; pure arithmetic.

`sticflow plan` shows the terms; gradient_checkpointing `auto` compares their sum with the device. What
autograd keeps is counted tensor by tensor for a decoder of Llama's kind and held against what PyTorch
really keeps (tests/python/test_memory.py). Kernels' own buffers and fragmentation on a GPU are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FLOAT32 = 4
SIZE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Interpreter, libraries and, on a GPU, the context and its workspaces: seen at idle, rounded up.
FRAMEWORK_BYTES = {"cpu": 700 * 2**20, "cuda": 1200 * 2**20}
# NF4: half a byte a weight, a byte for the scale of 64, a float32 for those of 256 scales.
NF4_BYTES = 1 / 2 + 1 / 64 + FLOAT32 / (64 * 256)
# Adam keeps two averages of every gradient.
NUM_MOMENTS = 2


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the language model; `num_image_tokens` of the largest image, None = not known."""

    num_layers: int
    hidden_size: int
    intermediate_size: int
    query_size: int
    key_value_size: int
    num_heads: int
    vocabulary_size: int
    max_positions: int
    num_image_tokens: int | None
    is_head_tied: bool = False

    def features(self, module: str) -> tuple[int, int]:
        """Inputs and outputs of a linear layer of a decoder block."""
        hidden, wide = self.hidden_size, self.intermediate_size
        return {
            "q_proj": (hidden, self.query_size),
            "k_proj": (hidden, self.key_value_size),
            "v_proj": (hidden, self.key_value_size),
            "o_proj": (self.query_size, hidden),
            "gate_proj": (hidden, wide),
            "up_proj": (hidden, wide),
            "down_proj": (wide, hidden),
        }.get(module, (wide, wide))


@dataclass(frozen=True)
class Lora:
    """What is trained: rank and layers of the adapter, or the whole language model (full_finetuning.py)."""

    r: int
    target_modules: Sequence[str]
    use_dora: bool = False
    is_full: bool = False


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: rows of one length, and the tokens that logits are made for."""

    num_rows: int
    num_row_tokens: int
    num_scored_tokens: int


def dimensions(config: Any) -> Dimensions:
    """Read the dimensions out of a config of transformers."""
    text = config.get_text_config(decoder=True)
    heads = text.num_attention_heads
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Dimensions(
        num_layers=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        intermediate_size=text.intermediate_size,
        query_size=heads * head_size,
        key_value_size=(getattr(text, "num_key_value_heads", None) or heads) * head_size,
        num_heads=heads,
        vocabulary_size=text.vocab_size,
        max_positions=text.max_position_embeddings,
        num_image_tokens=_num_image_tokens(config),
        is_head_tied=bool(getattr(config, "tie_word_embeddings", False)),
    )


def num_adapter_weights(sizes: Dimensions, lora: Lora) -> int:
    """Numbers that LoRA trains: A and B of every target in every block; DoRA a norm an output more.

    Of the whole language model: blocks, norms, and embeddings and head where they are two; no biases.
    """
    if lora.is_full:
        ends = 0 if sizes.is_head_tied else 2 * sizes.vocabulary_size * sizes.hidden_size
        norms = (2 * sizes.num_layers + 1) * sizes.hidden_size
        return num_block_weights(sizes) + norms + ends
    per_block = sum(lora.r * sum(sizes.features(name)) for name in lora.target_modules)
    if lora.use_dora:
        per_block += sum(sizes.features(name)[1] for name in lora.target_modules)
    return sizes.num_layers * per_block


def sharded_bytes(sizes: Dimensions, weights_bytes: int, *, num_shards: int, dtype: str) -> int:
    """Bytes of the base on one of `num_shards` devices that share its blocks out (sharding.py).

    Its own share, and two blocks put together: the one that is computed and the next, on its way.
    """
    of_blocks = num_block_weights(sizes) * SIZE_BYTES[dtype]
    of_block = of_blocks // sizes.num_layers
    return weights_bytes - of_blocks + of_blocks // num_shards + 2 * of_block


def packed_bytes(sizes: Dimensions, weights_bytes: int, *, dtype: str) -> int:
    """Bytes of the base with its blocks in 4 bits (quantization.py), and of the one layer that is unpacked."""
    num_weights = num_block_weights(sizes)
    unpacked = max(_num_weights(sizes, name) for name in BLOCK) * SIZE_BYTES[dtype]
    return (
        weights_bytes - num_weights * SIZE_BYTES[dtype] + round(num_weights * NF4_BYTES) + unpacked
    )


def num_block_weights(sizes: Dimensions) -> int:
    """Numbers in the linear layers of all blocks."""
    return sizes.num_layers * sum(_num_weights(sizes, name) for name in BLOCK)


BLOCK = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def training_terms(
    sizes: Dimensions,
    lora: Lora,
    one_pass: Pass,
    *,
    weights_bytes: int,
    dtype: str,
    device: str,
    is_checkpointed: bool,
) -> dict[str, int]:
    """Bytes at the peak of a training step, by what they are for."""
    adapter_bytes = num_adapter_weights(sizes, lora) * FLOAT32
    return {
        "framework": FRAMEWORK_BYTES[device],
        "weights": weights_bytes,
        "adapter": adapter_bytes,
        "gradients": adapter_bytes,
        "optimizer": NUM_MOMENTS * adapter_bytes,
        "activations": activation_bytes(
            sizes, lora, one_pass, dtype=dtype, is_checkpointed=is_checkpointed
        ),
        "logits": _logit_bytes(sizes, one_pass.num_scored_tokens, dtype),
        **_dora_terms(sizes, lora),
    }


def activation_bytes(
    sizes: Dimensions, lora: Lora, one_pass: Pass, *, dtype: str, is_checkpointed: bool
) -> int:
    """What autograd keeps of a pass for the way back; one block at a time when checkpointed."""
    tokens = one_pass.num_rows * one_pass.num_row_tokens
    block = tokens * _block_bytes_a_token(sizes, lora, dtype)
    # A block's input is all that a checkpoint keeps of it.
    between = tokens * sizes.hidden_size * SIZE_BYTES[dtype]
    mask = one_pass.num_rows * one_pass.num_row_tokens**2
    # The last norm: what it reads, its normed numbers and their product.
    last = tokens * 3 * sizes.hidden_size * FLOAT32 if lora.is_full else 0
    if is_checkpointed:
        return sizes.num_layers * between + block + mask + last
    return sizes.num_layers * block + mask + last


def generation_terms(
    sizes: Dimensions,
    *,
    num_rows: int,
    num_prompt_tokens: int,
    max_new_tokens: int,
    weights_bytes: int,
    adapter: Lora | None,
    dtype: str,
    device: str,
    is_packed: bool = False,
) -> dict[str, int]:
    """Bytes at the peak of writing a batch, by what they are for."""
    size = SIZE_BYTES[dtype]
    num_tokens = num_rows * (num_prompt_tokens + max_new_tokens)
    cache = num_tokens * sizes.num_layers * 2 * sizes.key_value_size * size
    widest = max(sizes.intermediate_size * 3, sizes.query_size + 2 * sizes.key_value_size)
    terms = {
        "framework": FRAMEWORK_BYTES[device],
        "weights": weights_bytes,
        "key_value_cache": cache,
        # Reading the prompts: one block's widest tensors, and the mask.
        "prefill": num_rows * num_prompt_tokens * (widest + 2 * sizes.hidden_size) * size,
        "logits": num_rows * sizes.vocabulary_size * (size + FLOAT32),
    }
    if adapter is not None:
        terms["adapter"] = num_adapter_weights(sizes, adapter) * FLOAT32
        terms |= _dora_terms(sizes, adapter)
        is_merged = dtype == "float32" and not is_packed and not adapter.is_full
        if is_merged:  # what was there before is kept (warm_policy.py)
            touched = sum(_num_weights(sizes, name) for name in adapter.target_modules)
            terms["weights_before_merge"] = sizes.num_layers * touched * FLOAT32
    return terms


def total(terms: Mapping[str, int]) -> int:
    """Sum of the terms in bytes."""
    return sum(terms.values())


def _block_bytes_a_token(sizes: Dimensions, lora: Lora, dtype: str) -> int:
    """What one decoder block of Llama's kind keeps of a token.

    Weights are frozen, so a plain linear layer keeps nothing; LoRA's keeps its input (A's gradient), the
    r numbers between A and B. In half precision each LoRA layer casts its input for itself.
    """
    size = SIZE_BYTES[dtype]
    hidden, wide = sizes.hidden_size, sizes.intermediate_size
    # RMSNorm works in float32: its input and the normed hidden states, with the scale of half precision.
    norms = 2 * (2 * hidden * FLOAT32 + (0 if dtype == "float32" else hidden * size))
    if lora.is_full:
        norms += 2 * hidden * FLOAT32  # before the product with the scale, which learns
    heads = sizes.query_size + 2 * sizes.key_value_size
    # Rotated queries and keys, values, the attention's result; log-sums of the heads.
    attention = (heads + sizes.query_size) * size + sizes.num_heads * FLOAT32
    # SiLU keeps its input, the product both factors.
    feed_forward = 3 * wide * size
    return norms + attention + feed_forward + _lora_bytes_a_token(sizes, lora, dtype)


def _dora_terms(sizes: Dimensions, lora: Lora) -> dict[str, int]:
    """What DoRA needs for a moment in every layer: an identity, the dense update and its sum with the weights."""
    if not lora.use_dora:
        return {}
    of_layers = [sizes.features(name) for name in lora.target_modules]
    return {"dora_norms": FLOAT32 * max(read * read + 2 * read * made for read, made in of_layers)}


def _lora_bytes_a_token(sizes: Dimensions, lora: Lora, dtype: str) -> int:
    size = SIZE_BYTES[dtype]
    between = len(lora.target_modules) * lora.r * size
    if lora.use_dora:
        # The norms' gradient is over the base's and the adapter's output.
        between += 2 * sum(sizes.features(name)[1] for name in lora.target_modules) * size
    inputs = [(name, sizes.features(name)[0]) for name in lora.target_modules]
    if dtype != "float32":
        return between + sum(width for _, width in inputs) * size
    # In float32 layers share what they read: queries, keys and values one input, gate and up another.
    groups = {_READS.get(name, name): width for name, width in inputs}
    # What o_proj and the norms' readers read is kept for the attention and the norms already.
    kept_already = {"attention_result", "normed_for_attention", "normed_for_feed_forward"}
    return between + sum(width for group, width in groups.items() if group not in kept_already) * 4


_READS = {
    "q_proj": "normed_for_attention",
    "k_proj": "normed_for_attention",
    "v_proj": "normed_for_attention",
    "o_proj": "attention_result",
    "gate_proj": "normed_for_feed_forward",
    "up_proj": "normed_for_feed_forward",
    "down_proj": "product",
}


def _logit_bytes(sizes: Dimensions, num_scored_tokens: int, dtype: str) -> int:
    """Logits as they come, in float32, and the gradients of both."""
    each = SIZE_BYTES[dtype] if dtype != "float32" else 0
    return num_scored_tokens * sizes.vocabulary_size * 2 * (each + FLOAT32)


def _num_weights(sizes: Dimensions, module: str) -> int:
    inputs, outputs = sizes.features(module)
    return inputs * outputs


def _num_image_tokens(config: Any) -> int | None:
    """Tokens of the largest image, for families whose count follows from the config alone."""
    vision = getattr(config, "vision_config", None)
    side, patch = getattr(vision, "image_size", None), getattr(vision, "patch_size", None)
    if not isinstance(side, int) or not isinstance(patch, int):
        return None
    whole = (side // patch) ** 2
    if config.model_type == "llava":
        return whole
    if config.model_type == "llava_next":
        # The grid and a token at the end of each of its rows, behind the whole image.
        grids = [(high // patch, wide // patch) for high, wide in config.image_grid_pinpoints]
        return whole + max(rows * (columns + 1) for rows, columns in grids)
    return None
