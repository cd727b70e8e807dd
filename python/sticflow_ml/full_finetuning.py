"""Train the language model itself instead of an adapter beside it: each of its layers gets a copy that learns.

The base stays in memory, frozen, as the original behind every copy (PEFT's `modules_to_save`). So a policy
is put on and taken off like an adapter, and without it the model is the base.
"""

# The annotations of peft are narrower than what it takes.
# pyright: reportArgumentType=false
from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel
from peft.utils import ModulesToSaveWrapper
from peft.utils.constants import DUMMY_TARGET_MODULES

from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel


def full_config(loaded: LoadedModel) -> LoraConfig:
    """Copies of every layer of the language model that has weights: embeddings, blocks, norms, head.

    Embeddings that are the head's weights too stay frozen, since two copies would grow apart.

    Raises:
        SticflowError: `ModelInvalid` where a layer with weights holds others that have some too.
    """
    head = loaded.model.get_output_embeddings()
    assert head is not None, "a model that writes text"
    embeddings = loaded.model.get_input_embeddings()
    tied = {head, embeddings} if head.weight is embeddings.weight else set()
    learning = {*loaded.model.get_decoder().modules(), head} - tied
    names = [
        name
        for name, module in loaded.model.named_modules()
        if module in learning and any(True for _ in module.parameters(recurse=False))
    ]
    nested = [name for name in names if any(other.startswith(f"{name}.") for other in names)]
    if nested:
        raise SticflowError(
            "ModelInvalid",
            "Expected weights of the language model in layers that hold no others, but "
            f"{nested[0]} does. Set finetuning to lora.",
            names=nested[:20],
        )
    return copies_config(names)


def copies_config(names: list[str]) -> LoraConfig:
    """The configuration of a policy whose layers of these names are copies."""
    return LoraConfig(
        r=1,  # of no layer
        target_modules=DUMMY_TARGET_MODULES,
        modules_to_save=names,
        task_type="CAUSAL_LM",
    )


def is_full_config(config: dict[str, Any]) -> bool:
    """True for the configuration of a policy that is a copy of the language model."""
    return config.get("target_modules") == DUMMY_TARGET_MODULES


def put_base_back(policy: PeftModel) -> None:
    """Drop the copies; PEFT's own `unload` would leave them in the base's place."""
    for module in policy.modules():
        for name, layer in list(module.named_children()):
            if isinstance(layer, ModulesToSaveWrapper):
                setattr(module, name, layer.original_module)


def language_model_weights(loaded: LoadedModel) -> set[int]:
    """Identities of the parameters of the language model, its head included."""
    parts = (loaded.model.get_decoder(), loaded.model.get_output_embeddings())
    return {id(weight) for part in parts if part is not None for weight in part.parameters()}
