"""The product's own parts, put around a model that is in memory already."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, ProcessorMixin

from sticflow_ml.chat import Chat
from sticflow_ml.contract import ImageRoots, ModelSpec
from sticflow_ml.images import Images
from sticflow_ml.model import LoadedModel, encodes_images_apart, stop_token_ids
from sticflow_ml.split_attention import split_attention_of


def as_loaded(model: PreTrainedModel, processor: ProcessorMixin) -> LoadedModel:
    """Return what `load_model` would, without a detour over the disk."""
    model.requires_grad_(False)
    split_attention_of(model)
    dtype = "bfloat16" if model.dtype == torch.bfloat16 else "float32"
    spec = ModelSpec(
        path="random",
        sha256="0" * 64,
        dtype=dtype,
        device="cuda" if model.device.type == "cuda" else "cpu",
        num_threads=torch.get_num_threads(),
        image_backend="pil",
    )
    return LoadedModel(
        spec=spec,
        model=model.eval(),
        processor=processor,
        chat=Chat(processor, stop_token_ids(model.generation_config, processor)),
        device=model.device,
        encodes_images_apart=encodes_images_apart(type(model)),
    )


def open_images(loaded: LoadedModel, folder: Path, *, encode_once: bool = True) -> Images:
    """Open a folder of pictures; without `encode_once` the model gets pixels in every pass."""
    if encode_once:
        return loaded.images(ImageRoots(images=str(folder), corrupted=None))
    return Images(
        ImageRoots(images=str(folder), corrupted=None), processor=loaded.processor, encode=None
    )
