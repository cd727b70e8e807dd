"""The policy that is in memory: a base that stays between requests, and the adapter that is swapped on it."""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false
from __future__ import annotations

import gc
from typing import Literal

import torch
from peft import PeftModel

from sticflow_ml.adapters import continue_adapter, fresh_adapter, on_base
from sticflow_ml.contract import AdapterSpec, LoraSettings, ModelSpec
from sticflow_ml.full_finetuning import (
    full_config,
    is_full_config,
    language_model_weights,
    put_base_back,
)
from sticflow_ml.model import LoadedModel, Tower, load_model
from sticflow_ml.protocol import Reporter

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
        In half precision it is not: an update smaller than the last bit of a weight would vanish. Nor is a
        copy of the language model, which costs no time where it is.
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
            is_whole = loaded.spec.dtype == "float32" and loaded.spec.quantization is None
            if is_whole and not is_full_config(self._peft.peft_config["default"].to_dict()):
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
        is_full: bool = False,
        on_host: bool = False,
    ) -> tuple[LoadedModel, PeftModel]:
        """Return base and policy with a trainable adapter: `adapter` continued, or a fresh one.

        Rank, alpha, layers and variant of a continued adapter are its own; dropout is of the training.
        `is_full` makes a copy of the language model in the place of a fresh adapter.
        `on_host` leaves a base that is not in memory yet off the device: who shares it out moves it.
        """
        loaded = self.base(spec, reporter, on_host=on_host)
        self._take_off(loaded)
        if adapter is None and is_full:
            return loaded, on_base(loaded, full_config(loaded))
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
            put_base_back(self._peft)
            self._peft.unload()
            self._peft = None
        parameters = dict(loaded.model.named_parameters())
        for name, weight in self._before_merge.items():
            parameters[name].data.copy_(weight)
        self._before_merge = {}
        self._adapter_sha256 = None
        self.adapter_mode = "none"
        self.tower = "base"


def _tower_under(loaded: LoadedModel, policy: PeftModel) -> Tower:
    """Adapters of others may name layers that the vision tower has too (trl issue 1936)."""
    own = language_model_weights(loaded)
    trained = [weight for weight in policy.parameters() if weight.requires_grad]
    return "base" if all(id(weight) in own for weight in trained) else "adapted"
