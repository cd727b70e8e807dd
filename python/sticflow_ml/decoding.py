"""Write texts for a batch of prompts: prefill, then one token a row and step with a KV cache.

A loop of our own because `generate` has no seed for a row, does not let finished rows leave the
batch, and gives no place between two tokens at which to report progress or to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from transformers import DynamicCache

from sticflow_ml.errors import SticflowError
from sticflow_ml.images import ProcessedImage, as_encoder_outputs
from sticflow_ml.model import LoadedModel
from sticflow_ml.sampling import RowRandomness, choose_tokens

# Shape suffixes: A position axes, B rows of the batch, T tokens, V vocabulary

# Rows leave the batch when so few are still being written; each leave copies the cache once.
ACTIVE_SHARE_TO_COMPACT = 0.75


@dataclass(frozen=True)
class Prompt:
    """One row: tokens with the run of image tokens in place, its image and how to sample."""

    token_ids: list[int]
    image: ProcessedImage
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int


@dataclass
class Written:
    """What a row has written so far; the stop token is not part of it."""

    randomness: RowRandomness
    token_ids: list[int] = field(default_factory=list)
    finish_reason: Literal["stop", "length"] | None = None


@torch.no_grad()
def write_batch(
    loaded: LoadedModel, prompts: list[Prompt], *, on_step: Callable[[int], None]
) -> list[Written]:
    """Write one text for every prompt.

    Args:
        loaded: Base with the policy's adapter in place.
        prompts: Rows of one batch.
        on_step: Called after every step with the number of finished rows.
    """
    return _Batch(loaded, prompts).run(on_step)


class _Batch:
    def __init__(self, loaded: LoadedModel, prompts: list[Prompt]) -> None:
        self._loaded = loaded
        self._prompts = prompts
        self._written = [Written(RowRandomness(prompt.seed)) for prompt in prompts]
        self._rows = list(range(len(prompts)))  # prompts that are still in the tensors
        self._cache = DynamicCache(config=loaded.model.config.get_text_config(decoder=True))

    def run(self, on_step: Callable[[int], None]) -> list[Written]:
        logits_BV = self._prefill()
        while True:
            token_ids = self._choose(logits_BV)
            self._take(token_ids)
            on_step(sum(row.finish_reason is not None for row in self._written))
            token_ids = self._retire(token_ids)
            if not self._rows:
                return self._written
            logits_BV = self._forward(
                torch.tensor(token_ids, device=self._loaded.device).unsqueeze(1),
                self._next_position_AB.unsqueeze(2),
            )
            self._next_position_AB = self._next_position_AB + 1

    def _prefill(self) -> torch.Tensor:
        device = self._loaded.device
        length = max(len(prompt.token_ids) for prompt in self._prompts)
        ids_BT = torch.full((len(self._prompts), length), self._loaded.chat.pad_token_id)
        mask_BT = torch.zeros_like(ids_BT)
        positions: list[torch.Tensor] = []
        for row, prompt in enumerate(self._prompts):
            padding = length - len(prompt.token_ids)
            ids_BT[row, padding:] = torch.tensor(prompt.token_ids)
            mask_BT[row, padding:] = 1
            positions_AT = self._loaded.positions(prompt.token_ids, prompt.image.inputs)
            positions.append(torch.nn.functional.pad(positions_AT, (padding, 0)))
        positions_ABT = torch.stack(positions, dim=1).to(device)
        self._next_position_AB = (
            positions_ABT.amax(dim=(0, 2)).add(1).expand(positions_ABT.shape[0], -1)
        )
        self._mask_BT = mask_BT.to(device)
        return self._forward(ids_BT.to(device), positions_ABT, with_images=True)

    def _forward(
        self, ids_BT: torch.Tensor, positions_ABT: torch.Tensor, *, with_images: bool = False
    ) -> torch.Tensor:
        if not with_images:
            self._mask_BT = torch.nn.functional.pad(self._mask_BT, (0, 1), value=1)
        output = self._loaded.model(
            input_ids=ids_BT,
            attention_mask=self._mask_BT,
            position_ids=positions_ABT[0] if len(positions_ABT) == 1 else positions_ABT,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **(self._image_inputs() if with_images else {}),
        )
        return output.logits[:, -1]

    def _image_inputs(self) -> dict[str, object]:
        images = [prompt.image for prompt in self._prompts]
        features = [image.features_TD for image in images if image.features_TD is not None]
        if len(features) == len(images):
            return {"mm_encoder_outputs": as_encoder_outputs(features)}
        return {
            name: torch.cat([image.inputs[name] for image in images]).to(self._loaded.device)
            for name in images[0].inputs
        }

    def _choose(self, logits_BV: torch.Tensor) -> list[int]:
        if not bool(torch.isfinite(logits_BV.amax(dim=-1)).all()):
            raise SticflowError(
                "ModelInvalid",
                "Expected finite scores for the next token, got NaN or infinity. Use "
                "model.dtype bfloat16 or float32, and check the checkpoint.",
            )
        prompts = [self._prompts[row] for row in self._rows]
        like = {"dtype": torch.float64, "device": logits_BV.device}
        uniform = [self._written[row].randomness.next() for row in self._rows]
        return choose_tokens(
            logits_BV,
            temperature_B=torch.tensor([prompt.temperature for prompt in prompts], **like),
            top_p_B=torch.tensor([prompt.top_p for prompt in prompts], **like),
            uniform_B=torch.tensor(uniform, **like),
        ).tolist()

    def _take(self, token_ids: list[int]) -> None:
        """Note the tokens of the rows that are still being written."""
        for row, token_id in zip(self._rows, token_ids, strict=True):
            written = self._written[row]
            if written.finish_reason is not None:
                continue
            if token_id in self._loaded.chat.stop_token_ids:
                written.finish_reason = "stop"
                continue
            written.token_ids.append(token_id)
            if len(written.token_ids) == self._prompts[row].max_new_tokens:
                written.finish_reason = "length"

    def _retire(self, token_ids: list[int]) -> list[int]:
        """Let finished rows leave the tensors when that pays; return the tokens of the rest."""
        active = [
            index
            for index, row in enumerate(self._rows)
            if self._written[row].finish_reason is None
        ]
        if active and len(active) > ACTIVE_SHARE_TO_COMPACT * len(self._rows):
            return token_ids
        self._rows = [self._rows[index] for index in active]
        if active:
            kept = torch.tensor(active, device=self._loaded.device)
            self._cache.batch_select_indices(kept)
            self._mask_BT = self._mask_BT[kept]
            self._next_position_AB = self._next_position_AB[:, kept]
        return [token_ids[index] for index in active]
