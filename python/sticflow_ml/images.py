"""From image files to what the language model sees, each image once.

An image is decoded, processed and encoded alone, so that its features do not depend on which other
images share its batch. The vision tower is never trained, so features outlive a batch.
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image, UnidentifiedImageError
from transformers import ProcessorMixin
from transformers.modeling_outputs import BaseModelOutputWithPooling

from sticflow_ml.contract import ImageFile, ImageRoots
from sticflow_ml.errors import SticflowError
from sticflow_ml.image_files import image_path

# Features and pixels of recent images that are kept: enough for all prompts of a stretch of images.
CACHE_SIZE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class ProcessedImage:
    """What the processor made of one image.

    Args:
        inputs: Tensors for the model, with a leading dimension for this one image.
        replacement: Text that stands for the image in a prompt: its run of image tokens.
        features_TD: Encoded image (T image tokens, D hidden size); None = not encoded.
    """

    inputs: dict[str, torch.Tensor]
    replacement: str
    features_TD: torch.Tensor | None

    @property
    def size_bytes(self) -> int:
        """Memory held by the tensors."""
        tensors = list(self.inputs.values())
        if self.features_TD is not None:
            tensors.append(self.features_TD)
        return sum(tensor.nbytes for tensor in tensors)


Encode = Callable[[dict[str, torch.Tensor]], torch.Tensor]


class Images:
    """The images of one request.

    Args:
        roots: Folders that `ImageFile` records refer to.
        processor: Of the checkpoint.
        encode: Turns processed inputs into features; None where the model takes pixels only.
    """

    def __init__(
        self, roots: ImageRoots, *, processor: ProcessorMixin, encode: Encode | None
    ) -> None:
        self._roots = roots
        self._processor = processor
        self._encode = encode
        self._cache: OrderedDict[tuple[str, str], ProcessedImage] = OrderedDict()
        self._cached_bytes = 0

    def get(self, image: ImageFile, *, encoded: bool = True) -> ProcessedImage:
        """Return an image, from memory when it was seen lately.

        Args:
            image: Where it lies.
            encoded: False where its tokens are to be counted only; the vision tower is not run.

        Raises:
            SticflowError: `DataInvalid` when the file is missing or is no PNG that decodes.
        """
        key = (image.root, image.file)
        cached = self._cache.get(key)
        if cached is None:
            cached = self._process(image, self.open(image))
            self._keep(key, cached)
        self._cache.move_to_end(key)
        if not encoded or self._encode is None or cached.features_TD is not None:
            return cached
        features_TD = self._encode(cached.inputs)
        self._require_counted(image, cached.replacement, len(features_TD))
        without_pixels = {
            name: value for name, value in cached.inputs.items() if "pixel" not in name
        }
        finished = ProcessedImage(
            inputs=without_pixels, replacement=cached.replacement, features_TD=features_TD
        )
        self._keep(key, finished)
        return finished

    def _require_counted(self, image: ImageFile, replacement: str, num_features: int) -> None:
        """Refuse a processor that counts other than the vision tower (transformers issue 36002)."""
        num_tokens = replacement.count(self._processor.image_token)
        if num_tokens == num_features:
            return
        raise SticflowError(
            "ModelInvalid",
            f"Expected as many image tokens as the vision tower makes features, got {num_tokens} "
            f"tokens and {num_features} features for {image.root}/{image.file}. Mend patch_size, "
            "vision_feature_select_strategy and num_additional_image_tokens in "
            "processor_config.json: they must be those of config.json and its vision tower.",
            image=image.file,
            num_tokens=num_tokens,
            num_features=num_features,
        )

    def _keep(self, key: tuple[str, str], image: ProcessedImage) -> None:
        before = self._cache.get(key)
        self._cached_bytes += image.size_bytes - (0 if before is None else before.size_bytes)
        self._cache[key] = image
        while self._cached_bytes > CACHE_SIZE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.size_bytes

    def open(self, image: ImageFile) -> Image.Image:
        """Decode an image whole, as 8-bit RGB.

        Raises:
            SticflowError: `DataInvalid` as in `get`.
        """
        path = image_path(self._roots, image)
        try:
            # The store holds PNG only; no other decoder needs to meet bytes from outside.
            with Image.open(path, formats=("PNG",)) as picture:
                return picture.convert("RGB")
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            raise SticflowError(
                "DataInvalid",
                f"Expected a PNG file that decodes at {image.root}/{image.file}, got: {error}",
                image=image.file,
            ) from error

    def _process(self, image: ImageFile, picture: Image.Image) -> ProcessedImage:
        try:
            batch = self._processor(
                text=[self._processor.image_token],
                images=[picture],
                return_tensors="pt",
                return_text_replacement_offsets=True,
                # Sides of 1 or 3 pixels could be taken for the channels.
                input_data_format="channels_last",
            )
        except (ValueError, ZeroDivisionError, IndexError) as error:
            raise SticflowError(
                "DataInvalid",
                f"Expected an image that the model's processor accepts at {image.root}/"
                f"{image.file} ({picture.width}x{picture.height} pixels), got: {error}. "
                "Leave it out, or tighten images.max_aspect_ratio.",
                image=image.file,
            ) from error
        replacement = batch["text_replacement_offsets"][0][0]["replacement"]
        text_inputs = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
        inputs = {
            name: value
            for name, value in batch.items()
            if isinstance(value, torch.Tensor) and name not in text_inputs
        }
        return ProcessedImage(inputs=inputs, replacement=replacement, features_TD=None)


def as_encoder_outputs(
    features: list[torch.Tensor],
) -> dict[str, BaseModelOutputWithPooling]:
    """Hand features to a model as if its own tower had made them, one entry a row of the batch.

    transformers >= 5.23 takes them as `mm_encoder_outputs`.
    """
    return {"image": BaseModelOutputWithPooling(pooler_output=features)}
