"""`inspect_model`: is this folder a checkpoint that every later step can use? Loads no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig, GenerationConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from sticflow_ml.chat import Chat, load_processor
from sticflow_ml.contract import AssistantMessage, ImageContent, TextContent, UserMessage
from sticflow_ml.errors import SticflowError
from sticflow_ml.model import encodes_images_apart, stop_token_ids
from sticflow_ml.protocol import Reporter

# Formats that can run programs of their author when they are loaded, and code itself.
REFUSED_SUFFIXES = (
    ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5", ".py",
)  # fmt: skip
HEADER_LENGTH_BYTES = 8


def inspect_model(path: Path, reporter: Reporter) -> None:
    """Report architecture and abilities, or refuse with what to mend.

    Raises:
        SticflowError: `ModelInvalid`.
    """
    _refuse_programs(path)
    _check_weights(path)
    config = _config(path)
    model_class: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    processor = load_processor(path, None)
    generation_config = (
        GenerationConfig.from_pretrained(path, local_files_only=True)
        if (path / "generation_config.json").is_file()
        else None
    )
    chat = Chat(processor, stop_token_ids(generation_config, processor))
    _check_template(chat)
    reporter.result(
        0,
        {
            "architecture": model_class.__name__,
            "model_type": config.model_type,
            "image_token": chat.image_token,
            "template_sha256": chat.template_sha256,
            "encodes_images_apart": encodes_images_apart(model_class),
        },
    )


def _refuse_programs(path: Path) -> None:
    refused = sorted(file.name for file in path.rglob("*") if file.suffix in REFUSED_SUFFIXES)
    if refused:
        raise SticflowError(
            "ModelInvalid",
            f"Expected safetensors and text files only, found {', '.join(refused[:5])}. Pickled "
            "weights and code can run programs of their author: remove these files, after "
            "converting weights to safetensors where there are no others.",
            files=refused[:50],
        )
    for file in sorted(path.glob("*.json")):
        if isinstance(content := _read(file), dict) and "auto_map" in content:
            raise SticflowError(
                "ModelInvalid",
                f"Expected a checkpoint of a class in transformers, but {file.name} asks for code "
                "of its own (auto_map). Use a checkpoint that transformers supports.",
                files=[file.name],
            )


def _check_weights(path: Path) -> None:
    """See that every shard is there and as long as its header says: downloads break off."""
    shards = {file.name for file in path.glob("*.safetensors")}
    index = path / "model.safetensors.index.json"
    expected = (
        set(_read(index)["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    )
    missing = sorted(expected - shards)
    if missing:
        raise SticflowError(
            "ModelInvalid",
            f"Expected the weights {', '.join(missing[:5])} in the model folder, they are missing. "
            "Fetch the complete checkpoint.",
            files=missing,
        )
    for name in sorted(expected):
        actual, stated = (path / name).stat().st_size, _stated_size(path / name)
        if actual != stated:
            raise SticflowError(
                "ModelInvalid",
                f"Expected {name} to have {stated} bytes by its header, it has {actual}. Fetch the "
                "file again.",
                files=[name],
            )


def _stated_size(file: Path) -> int:
    """Length of a safetensors file according to its header; -1 where that is broken."""
    with file.open("rb") as content:
        header_length = int.from_bytes(content.read(HEADER_LENGTH_BYTES), "little")
        if header_length > file.stat().st_size:
            return -1
        try:
            header = json.loads(content.read(header_length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        except (ValueError, KeyError, TypeError):
            return -1
    return HEADER_LENGTH_BYTES + header_length + max(ends, default=0)


def _config(path: Path) -> Any:
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise SticflowError(
            "ModelInvalid", f"Expected a config.json of transformers, got: {error}"
        ) from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise SticflowError(
            "ModelInvalid",
            f"Expected a model for images and text, got model_type {config.model_type}. LLaVA "
            "checkpoints need the format of transformers, as in llava-hf/llava-1.5-7b-hf.",
        )
    return config


def _check_template(chat: Chat) -> None:
    """Render one exchange: a template that fails must fail before anything is queued."""
    image = ImageContent(type="image")
    question = UserMessage(role="user", content=[image, TextContent(type="text", text="What?")])
    answer = AssistantMessage(role="assistant", content=[TextContent(type="text", text="This.")])
    try:
        prompt = chat.prompt_ids([question], chat.image_token)
        chat.conversation_ids([question, answer], chat.image_token)
    except SticflowError as error:
        raise SticflowError("ModelInvalid", str(error)) from error
    except Exception as error:  # a template is a program of its author
        raise SticflowError(
            "ModelInvalid",
            f"Expected a chat template that renders a question and an answer, got: {error}. Use "
            "the template of this checkpoint's family.",
        ) from error
    if chat.count_image_tokens(prompt) != 1:
        raise SticflowError(
            "ModelInvalid",
            f"Expected the chat template to write the image token {chat.image_token} once for an "
            f"image, it writes it {chat.count_image_tokens(prompt)} times. Use the template of "
            "this checkpoint's family.",
        )


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SticflowError(
            "ModelInvalid", f"Expected {file.name} to be readable JSON, got: {error}"
        ) from error
