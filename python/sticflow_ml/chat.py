"""One way from messages to tokens, for generating and for training alike.

The checkpoint's own chat template and processor decide; nothing here knows a model family. An image
is put in as the run of tokens that the processor itself asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoProcessor, ProcessorMixin

from sticflow_ml.contract import AssistantMessage, UserMessage
from sticflow_ml.errors import SticflowError
from sticflow_ml.work_folder import sha256_of_json

Message = UserMessage | AssistantMessage

# What LLaVA's processors count image tokens by; None where the checkpoint does not say.
_COUNTING = ("patch_size", "vision_feature_select_strategy")


@dataclass(frozen=True)
class Turn:
    """The part of a conversation that an assistant turn trains.

    `start` is where the generation prompt ends, `end` is behind the stop token; both count tokens.
    """

    start: int
    end: int


def load_processor(path: Path, image_backend: str | None) -> ProcessorMixin:
    """Load the processor with the named image backend; the two backends resize differently.

    Args:
        path: Folder of the checkpoint.
        image_backend: `pil` or `torchvision`; None takes whichever is there.

    Raises:
        SticflowError: `ModelInvalid` when a part is missing, with what to add.
    """
    try:
        processor = AutoProcessor.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, backend=image_backend or "pil"
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise SticflowError(
            "ModelInvalid",
            f"Expected a processor in the model folder that loads offline, got: {error}. "
            "The folder needs the tokenizer and (pre)processor files of the checkpoint; families "
            "that also read video need torchvision installed.",
        ) from error
    if not isinstance(processor, ProcessorMixin):
        raise SticflowError(
            "ModelInvalid",
            "Expected a processor for images and text in the model folder, got only "
            f"{type(processor).__name__}. Add preprocessor_config.json and processor_config.json "
            "of the checkpoint.",
        )
    _require_fields(processor)
    actual = "pil" if type(processor.image_processor).__name__.endswith("Pil") else "torchvision"
    if image_backend not in (None, actual):
        raise SticflowError(
            "ModelInvalid",
            f"Expected model.image_backend {image_backend}, but this checkpoint's image processor "
            f"runs on {actual} here. Set model.image_backend to {actual}, or install torchvision.",
        )
    return processor


def _require_fields(processor: ProcessorMixin) -> None:
    """Refuse a processor of LLaVA's kind that does not know how many tokens an image has."""
    missing = [name for name in _COUNTING if getattr(processor, name, "not of this family") is None]
    if missing:
        raise SticflowError(
            "ModelInvalid",
            f"Expected {' and '.join(missing)} in processor_config.json, found "
            f"{'them' if len(missing) > 1 else 'it'} missing: checkpoints from before transformers "
            "4.46 have none. Add patch_size from vision_config in config.json, "
            "vision_feature_select_strategy from config.json, and num_additional_image_tokens 1 "
            "where the vision tower has a class token (CLIP).",
            missing=missing,
        )


class Chat:
    """Renders and tokenizes with the template and tokenizer of one checkpoint."""

    def __init__(self, processor: ProcessorMixin, stop_token_ids: frozenset[int]) -> None:
        """Check what every later call relies on.

        Raises:
            SticflowError: `ModelInvalid` when the template or the image token is missing.
        """
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self.stop_token_ids = stop_token_ids
        template = processor.chat_template or processor.tokenizer.chat_template
        if not isinstance(template, str):
            raise SticflowError(
                "ModelInvalid",
                "Expected a chat template in the model folder, found none. Add "
                "chat_template.jinja (or chat_template.json) of this checkpoint or of its family.",
            )
        image_token = getattr(processor, "image_token", None)
        if not isinstance(image_token, str):
            raise SticflowError(
                "ModelInvalid",
                f"Expected {type(processor).__name__} to name an image token, it does not. Use a "
                "checkpoint in the current format of transformers.",
            )
        self.image_token: str = image_token
        self._image_token_id: int = self._tokenizer.convert_tokens_to_ids(image_token)
        self.template_sha256 = sha256_of_json(template)
        control = sorted(
            {str(token) for token in self._tokenizer.added_tokens_decoder.values()} | {image_token},
            key=len,
            reverse=True,
        )
        self._control_tokens = re.compile("|".join(map(re.escape, control)))

    @property
    def pad_token_id(self) -> int:
        """Token of padded places; they are masked, so any does where the checkpoint names none."""
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None else min(self.stop_token_ids)

    def count_image_tokens(self, token_ids: list[int]) -> int:
        """How many of the tokens stand for parts of an image."""
        return token_ids.count(self._image_token_id)

    def end_of_image(self, token_ids: list[int]) -> int:
        """Place behind the last token that stands for a part of an image."""
        return len(token_ids) - token_ids[::-1].index(self._image_token_id)

    def prompt_ids(self, messages: list[Message], image_replacement: str) -> list[int]:
        """Tokens of a conversation up to where the assistant is to speak."""
        return self._tokenize(self._render(messages, is_prompt=True), image_replacement)

    def conversation_ids(
        self, messages: list[Message], image_replacement: str
    ) -> tuple[list[int], list[Turn]]:
        """Tokens of a whole conversation that ends with an assistant turn, and what it trains.

        A turn ends with the stop token. Where the template writes none (llava-1.5-hf), the end of
        the last turn gets the tokenizer's own: a model trained without would forget to stop.

        Raises:
            SticflowError: `DataInvalid` when a prompt is no prefix of the conversation, so that no
                one can say which tokens the model is to learn.
        """
        rendered = self._render(messages, is_prompt=False)
        ids = self._tokenize(rendered, image_replacement)
        turns: list[Turn] = []
        for index, message in enumerate(messages):
            if not isinstance(message, AssistantMessage):
                continue
            start = self._prefix_length(messages[:index], ids, image_replacement)
            is_last = index == len(messages) - 1
            limit = (
                len(ids)
                if is_last
                else self._common_length(messages[: index + 1], ids, image_replacement)
            )
            end = next(
                (at + 1 for at in range(start, limit) if ids[at] in self.stop_token_ids), None
            )
            if end is None and is_last:
                ids = [*self._tokenize(rendered.rstrip(), image_replacement), self._stop_token_id()]
                end = len(ids)
            turns.append(Turn(start=start, end=limit if end is None else end))
        return ids[: turns[-1].end], turns

    def decode(self, token_ids: list[int]) -> str:
        """Text of generated tokens, without control tokens and outer white space."""
        text = self._tokenizer.decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.strip()

    def _stop_token_id(self) -> int:
        own = self._tokenizer.eos_token_id
        return own if own in self.stop_token_ids else min(self.stop_token_ids)

    def _prefix_length(
        self, messages: list[Message], ids: list[int], image_replacement: str
    ) -> int:
        prompt = self.prompt_ids(messages, image_replacement)
        if ids[: len(prompt)] != prompt:
            raise SticflowError(
                "DataInvalid",
                "Expected the tokens of a prompt to begin the tokens of prompt and answer, but the "
                "chat template or tokenizer changes them when the answer follows. Use a template "
                "that renders earlier turns the same way every time.",
            )
        return len(prompt)

    def _common_length(
        self, messages: list[Message], ids: list[int], image_replacement: str
    ) -> int:
        part = self._tokenize(self._render(messages, is_prompt=False), image_replacement)
        length = 0
        while length < len(part) and part[length] == ids[length]:
            length += 1
        return length

    def _render(self, messages: list[Message], *, is_prompt: bool) -> str:
        return self._processor.apply_chat_template(
            [self._plain(message) for message in messages],
            add_generation_prompt=is_prompt,
            tokenize=False,
        )

    def _plain(self, message: Message) -> dict[str, Any]:
        """Return the message as templates want it, without control tokens in what people wrote."""
        content = [
            {"type": "text", "text": self._control_tokens.sub("", part.text)}
            if part.type == "text"
            else {"type": "image"}
            for part in message.content
        ]
        return {"role": message.role, "content": content}

    def _tokenize(self, rendered: str, image_replacement: str) -> list[int]:
        begins_with_bos = self._tokenizer.bos_token is not None and rendered.startswith(
            self._tokenizer.bos_token
        )
        # A replacement may contain the image token itself, so split instead of replacing in turn.
        text = image_replacement.join(rendered.split(self.image_token))
        return self._tokenizer(text, add_special_tokens=not begins_with_bos)["input_ids"]
