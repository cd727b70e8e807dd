"""Put a policy's adapter on the base: LoRA on the language model and nowhere else, or a copy of it."""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils import load_peft_weights
from safetensors import SafetensorError

from sticflow_ml.contract import AdapterSpec, LoraSettings
from sticflow_ml.errors import SticflowError
from sticflow_ml.full_finetuning import (
    copies_config,
    is_full_config,
)
from sticflow_ml.model import LoadedModel

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"


def language_model_pattern(loaded: LoadedModel, target_modules: list[str]) -> str:
    """Regular expression of the layers that get LoRA: named ones of the language model only.

    "all-linear", or bare names, would reach into the vision tower as well (trl issue 1936).

    Raises:
        SticflowError: `ConfigInvalid` when no layer of that name is there.
    """
    decoder = loaded.model.get_decoder()
    prefix = next(name for name, module in loaded.model.named_modules() if module is decoder)
    names = "|".join(re.escape(name) for name in target_modules)
    pattern = rf"{re.escape(prefix)}\..*\.(?:{names})"
    linear = [
        name
        for name, module in loaded.model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith(f"{prefix}.")
    ]
    for target in target_modules:
        if not any(name.endswith(f".{target}") for name in linear):
            there = sorted({name.rsplit(".", 1)[-1] for name in linear})
            raise SticflowError(
                "ConfigInvalid",
                f"Expected lora.target_modules to name linear layers of the language model, but "
                f"`{target}` is none. This model has: {', '.join(there)}.",
            )
    return pattern


def fresh_adapter(loaded: LoadedModel, lora: LoraSettings, *, seed: int) -> PeftModel:
    """Add an untrained adapter: its B matrices are zero, so the policy is the base.

    Args:
        loaded: A base without adapter.
        lora: Rank, alpha, dropout and layers.
        seed: Of the A matrices.

    Raises:
        SticflowError: `ConfigInvalid` for an initialisation that changes the base or needs data.
    """
    if lora.init_lora_weights not in (None, "gaussian"):
        raise SticflowError(
            "ConfigInvalid",
            f"Expected lora.init_lora_weights gaussian or none, got {lora.init_lora_weights}: it changes "
            "the base, which is the reference without its adapter, or needs data before the first step.",
        )
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=language_model_pattern(loaded, lora.target_modules),
        task_type="CAUSAL_LM",
        use_rslora=bool(lora.use_rslora),
        use_dora=bool(lora.use_dora),
        init_lora_weights=lora.init_lora_weights or True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return on_base(loaded, config)


def continue_adapter(loaded: LoadedModel, adapter: AdapterSpec, *, dropout: float) -> PeftModel:
    """Add a trained adapter, unmerged.

    Args:
        loaded: A base without adapter.
        adapter: Folder as a training left it.
        dropout: While it is trained further; evaluation has none.

    Raises:
        SticflowError: `ModelInvalid` when it is no LoRA adapter for exactly this base.
    """
    folder = Path(adapter.path)
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        weights = load_peft_weights(str(folder), device="cpu") if _has_weights(folder) else {}
    except (OSError, ValueError, SafetensorError) as error:
        raise SticflowError(
            "ModelInvalid", f"Expected a LoRA adapter that loads, got: {error}"
        ) from error
    if config.get("peft_type") != "LORA" or not weights:
        raise SticflowError(
            "ModelInvalid",
            f"Expected a LoRA adapter with {ADAPTER_WEIGHTS} and {ADAPTER_CONFIG}, found another "
            "kind. Only adapters made by preference_training and infused_training can be continued.",
        )
    made_for = config["base_model_name_or_path"]
    if made_for != loaded.spec.sha256:
        raise SticflowError(
            "ModelInvalid",
            f"Expected an adapter of the base {loaded.spec.sha256[:12]}, got one of "
            f"{str(made_for)[:12]}. An adapter only means something on the base it was trained on.",
        )
    peft = on_base(loaded, _config_from(config, dropout))
    missing, unexpected = _fill(peft, weights)
    if missing or unexpected:
        # PEFT itself would go on, with an adapter that silently does nothing.
        raise SticflowError(
            "ModelInvalid",
            f"Expected the adapter's weights to fit the base layer for layer, but {len(missing)} "
            f"are missing and {len(unexpected)} have no place.",
            missing=missing[:10],
            unexpected=unexpected[:10],
        )
    return peft


def _fill(peft: PeftModel, weights: dict[str, torch.Tensor]) -> tuple[list[str], list[str]]:
    """Load the weights of an adapter; return the names that are missing, and those without a place."""
    if is_full_config(peft.peft_config["default"].to_dict()):
        expected = adapter_weights(peft).keys()
        if expected != weights.keys():  # PEFT would fail in its own words
            return sorted(expected - weights.keys()), sorted(weights.keys() - expected)
    trained = {name for name, weight in peft.named_parameters() if weight.requires_grad}
    outcome = set_peft_model_state_dict(peft, weights)
    return [name for name in outcome.missing_keys if name in trained], list(outcome.unexpected_keys)


def adapter_weights(policy: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors under the names of its file, sorted, on the CPU."""
    # "auto" would ask the hub about the base's vocabulary.
    weights = get_peft_model_state_dict(policy, save_embedding_layers=False)
    return {name: weight.detach().cpu().contiguous() for name, weight in sorted(weights.items())}


def on_base(loaded: LoadedModel, config: LoraConfig) -> PeftModel:
    """Put an untrained adapter on the base."""
    peft = get_peft_model(loaded.model, config)
    # PEFT writes the folder of this machine here; what counts is which weights it is for.
    config.base_model_name_or_path = loaded.spec.sha256
    return peft


def _has_weights(folder: Path) -> bool:
    return (folder / ADAPTER_WEIGHTS).is_file()


def _config_from(config: dict[str, Any], dropout: float) -> LoraConfig:
    if is_full_config(config):
        return copies_config(list(config["modules_to_save"]))
    return LoraConfig(
        r=config["r"],
        lora_alpha=config["lora_alpha"],
        lora_dropout=dropout,
        target_modules=config["target_modules"],
        task_type="CAUSAL_LM",
        # Adapters of older PEFT do not say.
        use_rslora=config.get("use_rslora", False),
        use_dora=config.get("use_dora", False),
    )
