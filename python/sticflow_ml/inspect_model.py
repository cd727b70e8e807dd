"""`inspect_model`: is this folder a checkpoint that every later step can use? Loads no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from sticflow_ml.chat import Chat, load_processor
from sticflow_ml.errors import SticflowError
from sticflow_ml.protocol import Reporter

REFUSED_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py")


def inspect_model(path: Path, reporter: Reporter) -> None:
    """Report architecture and template, or refuse with what to mend.

    Raises:
        SticflowError: `ModelInvalid`.
    """
    refused = sorted(file.name for file in path.rglob("*") if file.suffix in REFUSED_SUFFIXES)
    if refused:
        raise SticflowError(
            "ModelInvalid",
            f"Expected safetensors and text files only, found {', '.join(refused[:5])}. Pickled "
            "weights and code can run programs of their author: remove these files, after "
            "converting weights to safetensors where there are no others.",
        )
    if not any(path.glob("*.safetensors")):
        raise SticflowError("ModelInvalid", f"Expected *.safetensors in {path.name}, found none.")
    config = _config(path)
    processor = load_processor(path, "pil")
    chat = Chat(processor, frozenset({processor.tokenizer.eos_token_id or 0}))
    reporter.result(
        0,
        {
            "architecture": (config.architectures or ["unknown"])[0],
            "model_type": config.model_type,
            "image_token": chat.image_token,
            "template_sha256": chat.template_sha256,
        },
    )


def _config(path: Path) -> Any:
    try:
        raw = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if "auto_map" in raw:
            raise SticflowError(
                "ModelInvalid",
                "Expected a checkpoint of a class in transformers, but config.json asks for code "
                "of its own (auto_map). Use a checkpoint that transformers supports.",
            )
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise SticflowError(
            "ModelInvalid", f"Expected a config.json of transformers, got: {error}"
        ) from error
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise SticflowError(
            "ModelInvalid",
            f"Expected a model for images and text, got model_type {config.model_type}. LLaVA "
            "checkpoints need the format of transformers, as in llava-hf/llava-1.5-7b-hf.",
        )
    return config
