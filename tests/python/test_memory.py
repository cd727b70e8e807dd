"""The memory estimate: exact where it can be, and close to what PyTorch really keeps elsewhere."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from model_process import ModelProcess
from peft import get_peft_model
from tiny_models import CLIP_336, build
from tiny_requests import LORA, OPTIMIZATION
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.activation_checkpointing import is_checkpointed
from sticflow_ml.batch_size import rows_that_fit
from sticflow_ml.contract import LoraSettings, OptimizationSpec
from sticflow_ml.full_finetuning import full_config
from sticflow_ml.memory import (
    BLOCK,
    Lora,
    Pass,
    activation_bytes,
    dimensions,
    generation_terms,
    num_adapter_weights,
    sharded_bytes,
    total,
    training_terms,
)
from sticflow_ml.training import Training

NUM_PAIRS = 2
EVERY_LAYER = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# What autograd keeps besides the decoder: embeddings, the scored hidden states, scalars.
TOLERANCE = 0.25


@pytest.fixture
def training(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path) -> Training:
    request = preference_request(checkpoints["llava"], pictures, tmp_path, num_pairs=NUM_PAIRS)
    return open_training(request, Messages())


def test_the_adapter_has_the_weights_of_the_formula(training: Training) -> None:
    trained = [one.numel() for one in training.policy.parameters() if one.requires_grad]

    sizes = dimensions(training.loaded.model.config)

    assert num_adapter_weights(sizes, Lora(LORA["r"], LORA["target_modules"])) == sum(trained)
    # 2 blocks; q 32 -> 32, v 32 -> 16 (2 of 4 heads), down 48 -> 32; rank 4.
    assert sum(trained) == 2 * 4 * ((32 + 32) + (32 + 16) + (48 + 32))


def test_the_largest_image_has_the_tokens_of_the_formula(tmp_path: Path) -> None:
    from transformers import AutoConfig

    for family, expected in (("llava", 576), ("llava_next", 576 + 48 * 49)):
        folder = build(family, tmp_path / family, geometry=CLIP_336)
        assert dimensions(AutoConfig.from_pretrained(folder)).num_image_tokens == expected


def _kept_bytes(training: Training) -> tuple[int, int]:
    """Bytes that autograd keeps of a shared pass without its weights, and tokens of a row."""
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    rows = [scorer.row(pair) for pair in pairs]
    training.policy.train()
    weights = {one.untyped_storage().data_ptr() for one in training.policy.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # a storage that is given back would lend its address to another
        return tensor

    held: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scorer.logps(training.policy, pairs, rows)
    return sum(kept.values()), max(row.num_row_tokens for row in rows)


def _with_copies(training: Training) -> Training:
    base = training.policy.unload()
    policy = get_peft_model(base, full_config(training.loaded))
    return dataclasses.replace(training, policy=policy)


@pytest.mark.parametrize("is_full", [False, True], ids=["lora", "full"])
def test_what_autograd_keeps_is_what_the_terms_say(training: Training, is_full: bool) -> None:
    if is_full:
        training = _with_copies(training)
    kept_bytes, num_row_tokens = _kept_bytes(training)
    sizes = dimensions(training.loaded.model.config)
    lora = Lora(0, BLOCK, is_full=True) if is_full else Lora(LORA["r"], LORA["target_modules"])
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    num_scored = sum(len(ids) for pair in pairs for ids in scorer.row(pair).completions)

    estimate = activation_bytes(
        sizes,
        lora,
        Pass(NUM_PAIRS, num_row_tokens, num_scored),
        dtype="float32",
        is_checkpointed=False,
    )
    # The forward pass keeps the float32 logits once; their gradients come later.
    estimate += num_scored * sizes.vocabulary_size * 4

    assert estimate == pytest.approx(kept_bytes, rel=TOLERANCE)


def test_memory_grows_with_what_it_is_for_and_checkpointing_saves_most_of_it() -> None:
    from transformers import LlavaConfig

    sizes = dimensions(LlavaConfig())  # LLaVA-1.5-7B: 32 blocks of 4,096
    common = {"weights_bytes": 14_100_000_000, "dtype": "bfloat16", "device": "cuda"}
    lora = Lora(128, EVERY_LAYER)
    one_pass = Pass(1, 1100, 420)
    plain = training_terms(sizes, lora, one_pass, is_checkpointed=False, **common)
    saved = training_terms(sizes, lora, one_pass, is_checkpointed=True, **common)

    # Rank 128 on all linear layers of a Llama of 7B is 0.32e9 numbers.
    assert plain["adapter"] == pytest.approx(4 * 0.32e9, rel=0.01)
    assert plain["optimizer"] == 2 * plain["adapter"]
    assert saved["activations"] < 0.1 * plain["activations"]
    for smaller in (Pass(1, 900, 420), Pass(1, 1100, 100)):
        less = training_terms(sizes, lora, smaller, is_checkpointed=False, **common)
        assert total(less) < total(plain)


def test_the_cache_of_a_generation_is_two_vectors_a_token_and_block() -> None:
    from transformers import LlavaConfig

    terms = generation_terms(
        dimensions(LlavaConfig()),
        num_rows=8,
        num_prompt_tokens=620,
        max_new_tokens=250,
        weights_bytes=1,
        adapter=None,
        dtype="bfloat16",
        device="cuda",
    )

    # A token of a Vicuna takes 524 kB.
    assert terms["key_value_cache"] == 8 * 870 * 524_288


def test_rows_grow_with_what_is_free_up_to_a_limit() -> None:
    from transformers import LlavaConfig

    sizes = dimensions(LlavaConfig())  # LLaVA-1.5-7B
    knobs = {"num_prompt_tokens": 620, "max_new_tokens": 256, "dtype": "bfloat16"}
    by_free = [rows_that_fit(sizes, free_bytes=free * 10**9, **knobs) for free in range(0, 60, 2)]

    # A row of 876 tokens has 0.46 GB of keys and values.
    assert by_free[0] == 1
    assert by_free[5] == 16
    assert by_free[-1] == 64
    assert by_free == sorted(by_free)
    for free, rows in zip(range(2, 60, 2), by_free[1:], strict=True):
        terms = generation_terms(
            sizes, num_rows=rows, weights_bytes=0, adapter=None, device="cpu", **knobs
        )
        assert total(terms) - terms["framework"] <= 0.9 * free * 10**9


class _Lengths:
    """An objective of which only the lengths matter."""

    def __init__(self, num_tokens: list[int]) -> None:
        self.num_tokens = num_tokens
        self.num_target_tokens = num_tokens
        self.example_ids = [str(number) for number in range(len(num_tokens))]


def _decided(training: Training, wish: bool | str, capacity_bytes: int) -> bool:
    spec = OptimizationSpec.model_validate({**OPTIMIZATION, "gradient_checkpointing": wish})
    return is_checkpointed(
        spec,
        LoraSettings.model_validate(LORA),
        training.loaded,
        _Lengths([100, 40]),  # pyright: ignore[reportArgumentType]
        capacity_bytes=capacity_bytes,
    )


def test_auto_recomputes_only_where_the_estimate_exceeds_the_device(training: Training) -> None:
    assert not _decided(training, "auto", 10**12)
    assert _decided(training, "auto", 10**6)
    assert _decided(training, True, 10**12)
    assert not _decided(training, False, 10**6)


def test_auto_is_recorded_with_what_it_came_to_and_trains_the_same_adapter(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    adapters = []
    for wish in (False, "auto", True):
        request = preference_request(
            checkpoints["llava"],
            pictures,
            tmp_path / str(wish),
            num_pairs=NUM_PAIRS,
            optimization={**OPTIMIZATION, "gradient_checkpointing": wish},
        )
        with ModelProcess.fork() as process:
            result = process.run(request)
        assert result is not None
        assert result["type"] == "result", result
        output = Path(request["work_dir"]) / "output"
        adapters.append((output / "adapter_model.safetensors").read_bytes())
        facts = json.loads((output / "training.json").read_text())
        assert facts.get("recomputes") == (False if wish == "auto" else None)

    assert adapters[0] == adapters[1] == adapters[2]


def test_the_share_of_a_large_base_is_small() -> None:
    from transformers import LlavaConfig

    sizes = dimensions(LlavaConfig())  # LLaVA-1.5-7B: 32 blocks of 4,096

    share = sharded_bytes(sizes, 14_100_000_000, num_shards=8, dtype="bfloat16")

    # A block of a Vicuna of 7B has 202 million numbers: 32 / 8 + 2 of them, and 1.15 GB that stay whole.
    assert share == pytest.approx(1.15e9 + 6 * 2 * 202.4e6, rel=0.01)
