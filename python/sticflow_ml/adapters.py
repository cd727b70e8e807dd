"""Put a policy's adapter on the base: LoRA on the language model and nowhere else.

The base stays in memory between requests and adapters are swapped on it.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import Any, Literal

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

from sticflow_ml.contract import AdapterSpec, LoraSettings, ModelSpec
from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel, Tower, load_model
from sticflow_ml.protocol import Reporter

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"

AdapterMode = Literal["none", "merged", "unmerged"]


class WarmPolicy:
    """Base and adapter that are in memory, kept from one request to the next."""

    def __init__(self) -> None:
        self._loaded: LoadedModel | None = None
        self._adapter_sha256: str | None = None
        self._peft: PeftModel | None = None
        self._before_merge: dict[str, torch.Tensor] = {}
        self.adapter_mode: AdapterMode = "none"
        self.tower: Tower = "base"

    def for_generation(
        self, spec: ModelSpec, adapter: AdapterSpec | None, reporter: Reporter
    ) -> LoadedModel:
        """Return the base with the adapter acting on it; swaps only what differs.

        In float32 the adapter is merged for speed, and the weights from before are kept beside it.
        In half precision it is not: an update smaller than the last bit of a weight would vanish.
        """
        loaded = self.base(spec, reporter)
        wanted = None if adapter is None else adapter.sha256
        if wanted == self._adapter_sha256:
            return loaded
        self._take_off(loaded)
        if adapter is not None:
            self._peft = continue_adapter(loaded, adapter, dropout=0.0)
            self._adapter_sha256 = adapter.sha256
            self.adapter_mode = "unmerged"
            self.tower = _tower_under(loaded, self._peft)
            if loaded.spec.dtype == "float32":
                self._merge(loaded)
        loaded.model.eval()
        return loaded

    def for_training(
        self,
        spec: ModelSpec,
        adapter: AdapterSpec | None,
        *,
        lora: LoraSettings,
        seed: int,
        reporter: Reporter,
        on_host: bool = False,
    ) -> tuple[LoadedModel, PeftModel]:
        """Return base and policy with a trainable adapter: `adapter` continued, or a fresh one.

        Rank, alpha, layers and variant of a continued adapter are its own; dropout is of the training.
        `on_host` leaves a base that is not in memory yet off the device: who shares it out moves it.
        """
        loaded = self.base(spec, reporter, on_host=on_host)
        self._take_off(loaded)
        if adapter is None:
            return loaded, fresh_adapter(loaded, lora, seed=seed)
        return loaded, continue_adapter(loaded, adapter, dropout=lora.dropout)

    def base(self, spec: ModelSpec, reporter: Reporter, *, on_host: bool = False) -> LoadedModel:
        """Return the base of `spec`, from memory when it is the one that is there."""
        if self._loaded is None or self._loaded.spec != spec:
            self.drop()
            self._loaded = load_model(spec, reporter, on_host=on_host)
        return self._loaded

    def drop(self) -> None:
        """Forget the model and give its memory back."""
        if self._loaded is None:
            return
        self.__init__()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _merge(self, loaded: LoadedModel) -> None:
        assert self._peft is not None
        touched = {
            name.removesuffix(".base_layer.weight") + ".weight": parameter
            for name, parameter in loaded.model.named_parameters()
            if name.endswith(".base_layer.weight")
        }
        self._before_merge = {name: weight.detach().clone() for name, weight in touched.items()}
        self._peft.merge_and_unload()
        self._peft = None
        self.adapter_mode = "merged"

    def _take_off(self, loaded: LoadedModel) -> None:
        if self._peft is not None:
            self._peft.unload()
            self._peft = None
        parameters = dict(loaded.model.named_parameters())
        for name, weight in self._before_merge.items():
            parameters[name].data.copy_(weight)
        self._before_merge = {}
        self._adapter_sha256 = None
        self.adapter_mode = "none"
        self.tower = "base"


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
        return _wrap(loaded, config)


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
    peft = _wrap(loaded, _config_from(config, dropout))
    outcome = set_peft_model_state_dict(peft, weights)
    missing = [name for name in outcome.missing_keys if "lora_" in name]
    if missing or outcome.unexpected_keys:
        # PEFT itself would go on, with an adapter that silently does nothing.
        raise SticflowError(
            "ModelInvalid",
            f"Expected the adapter's weights to fit the base layer for layer, but {len(missing)} "
            f"are missing and {len(outcome.unexpected_keys)} have no place.",
            missing=missing[:10],
            unexpected=list(outcome.unexpected_keys)[:10],
        )
    return peft


def adapter_weights(policy: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors under the names of its file, sorted, on the CPU."""
    # "auto" would ask the hub about the base's vocabulary.
    weights = get_peft_model_state_dict(policy, save_embedding_layers=False)
    return {name: weight.detach().cpu().contiguous() for name, weight in sorted(weights.items())}


def _tower_under(loaded: LoadedModel, policy: PeftModel) -> Tower:
    """Adapters of others may name layers that the vision tower has too (trl issue 1936)."""
    decoder = {id(weight) for weight in loaded.model.get_decoder().parameters()}
    trained = [weight for weight in policy.parameters() if weight.requires_grad]
    return "base" if all(id(weight) in decoder for weight in trained) else "adapted"


def _wrap(loaded: LoadedModel, config: LoraConfig) -> PeftModel:
    peft = get_peft_model(loaded.model, config)
    # PEFT writes the folder of this machine here; what counts is which weights it is for.
    config.base_model_name_or_path = loaded.spec.sha256
    return peft


def _has_weights(folder: Path) -> bool:
    return (folder / ADAPTER_WEIGHTS).is_file()


def _config_from(config: dict[str, Any], dropout: float) -> LoraConfig:
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
