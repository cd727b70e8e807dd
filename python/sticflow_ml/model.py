"""Load a checkpoint: weights, processor, chat template, and what the family can do.

Any `AutoModelForImageTextToText` with a chat template. Abilities are read from the loaded model,
never from a list of names.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false
from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin
from transformers.utils import logging as transformers_logging

from sticflow_ml.chat import Chat, load_processor
from sticflow_ml.contract import ImageRoots, ModelSpec
from sticflow_ml.devices import resolve_device
from sticflow_ml.errors import SticflowError
from sticflow_ml.feature_cache import FeatureCache
from sticflow_ml.images import Encode, Images
from sticflow_ml.protocol import Reporter
from sticflow_ml.quantization import quantize_blocks
from sticflow_ml.split_attention import split_attention_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


# Whether the adapter in place leaves the vision tower and projector as the base has them.
Tower = Literal["base", "adapted"]


@dataclass(frozen=True)
class LoadedModel:
    """A base model in memory with everything that is needed to talk to it."""

    spec: ModelSpec
    model: PreTrainedModel
    processor: ProcessorMixin
    chat: Chat
    device: torch.device
    encodes_images_apart: bool
    # How attention went over rows of several completions so far: split (split_attention.py), dense
    attention_seen: set[str] = field(default_factory=set)

    def images(self, roots: ImageRoots, *, tower: Tower = "base") -> Images:
        """Open the images of one request."""
        return Images(
            roots,
            processor=self.processor,
            encode=self._encode(tower) if self.encodes_images_apart else None,
        )

    def _encode(self, tower: Tower) -> Encode:
        wanted = self.spec.feature_cache
        if wanted is None or tower == "adapted":  # on disk are features of the base
            return self.encode_image
        cache = FeatureCache(Path(wanted.path), wanted.max_bytes, self.spec, self.device)
        return cache.around(self.encode_image)

    @torch.no_grad()
    def encode_image(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Run vision tower and projector on one image.

        Returns:
            Features (T, D): T image tokens of the prompt, D hidden size of the language model.
        """
        on_device = {name: value.to(self.device) for name, value in inputs.items()}
        # The tower is not trained: without dropout, its features are those of every epoch and request.
        was_training = self.model.training
        if was_training:  # else it would cost a tenth of writing texts
            self.model.eval()
        try:
            encoded = self.model.get_image_features(**on_device, return_dict=True)
        finally:
            if was_training:
                self.model.train()
        return torch.cat(list(encoded.pooler_output), dim=0)

    @torch.no_grad()
    def tower_features(self, inputs: dict[str, torch.Tensor]) -> list[float]:
        """Mean over all tokens of the vision tower's last layer, before the projector.

        Raises:
            SticflowError: `ModelInvalid` where the family encodes images in no tower of its own.
        """
        if not hasattr(self.model, "get_image_features"):
            raise SticflowError(
                "ModelInvalid",
                f"Expected a model with get_image_features to embed images, {type(self.model).__name__} "
                "has none. Choose a checkpoint of the LLaVA or Qwen-VL family.",
            )
        on_device = {name: value.to(self.device) for name, value in inputs.items()}
        encoded = self.model.get_image_features(**on_device, return_dict=True)
        tokens_TD = encoded.last_hidden_state.flatten(end_dim=-2)
        return tokens_TD.float().mean(dim=0).tolist()

    def positions(
        self, token_ids: list[int], image_inputs: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Positions of one unpadded row, as the family counts them.

        Returns:
            (A, T): A axes, 1 for most families, 3 (time, height, width) for Qwen2-VL's kind.
        """
        core = self.model.base_model
        if not hasattr(core, "get_rope_index"):  # an ability of the class, not a field of ours
            return torch.arange(len(token_ids)).unsqueeze(0)
        ids_BT = torch.tensor([token_ids])
        is_image_BT = (ids_BT == self.model.config.image_token_id).int()
        positions_ABT, _ = core.get_rope_index(
            input_ids=ids_BT,
            mm_token_type_ids=is_image_BT,
            image_grid_thw=image_inputs.get("image_grid_thw"),
        )
        return positions_ABT[:, 0]


def make_deterministic(device: torch.device, num_threads: int) -> None:
    """Ask torch for the same bits every time; on CPU that includes the number of threads."""
    torch.set_num_threads(num_threads)
    # Operators without a deterministic CUDA kernel only warn: exactness is promised on CPU.
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = False
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def load_model(spec: ModelSpec, reporter: Reporter, *, on_host: bool = False) -> LoadedModel:
    """Load a snapshot from disk, offline; `on_host` leaves the weights off the device.

    Raises:
        SticflowError: `ModelInvalid` when a part is missing or does not fit.
    """
    device = resolve_device(spec.device)
    make_deterministic(device, spec.num_threads)
    reporter.progress("loading", 0, 2, "items")
    path = Path(spec.path)
    processor = load_processor(path, spec.image_backend)
    reporter.progress("loading", 1, 2, "items")
    model = _load_weights(path, DTYPES[spec.dtype]).eval()
    model.requires_grad_(False)
    split_attention_of(model)
    if spec.quantization is not None:
        quantize_blocks(model)
    if not on_host:
        model.to(device)
    chat = Chat(processor, stop_token_ids(model.generation_config, processor))
    reporter.progress("loading", 2, 2, "items")
    return LoadedModel(
        spec=spec,
        model=model,
        processor=processor,
        chat=chat,
        device=device,
        encodes_images_apart=encodes_images_apart(type(model)),
    )


def encodes_images_apart(model_class: type) -> bool:
    """True when the class takes image features that were made before (transformers >= 5.23)."""
    forward = inspect.signature(model_class.forward)
    return "mm_encoder_outputs" in forward.parameters and hasattr(model_class, "get_image_features")


def stop_token_ids(generation_config: Any, processor: ProcessorMixin) -> frozenset[int]:
    """Tokens that end a text: the checkpoint's own list and the tokenizer's.

    Raises:
        SticflowError: `ModelInvalid` when there is none.
    """
    named = [] if generation_config is None else generation_config.eos_token_id
    stops = {named} if isinstance(named, int) else set(named or [])
    if processor.tokenizer.eos_token_id is not None:
        stops.add(processor.tokenizer.eos_token_id)
    if not stops:
        raise SticflowError(
            "ModelInvalid",
            "Expected an end-of-sequence token in generation_config.json or tokenizer_config.json, "
            "found none. Add eos_token_id to generation_config.json.",
        )
    return frozenset(stops)


def _load_weights(path: Path, dtype: torch.dtype) -> PreTrainedModel:
    try:
        model, loading = AutoModelForImageTextToText.from_pretrained(
            path,
            dtype=dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise SticflowError(
            "ModelInvalid",
            f"Expected a checkpoint for images and text that loads offline, got: {error}",
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise SticflowError(
            "ModelInvalid",
            f"Expected weights for every layer, but {len(missing)} are missing from the "
            f"checkpoint, among them {', '.join(missing[:3])}. Fetch the complete checkpoint.",
            missing=missing[:20],
        )
    return model
