"""Score several completions of one prompt in one row: `[prompt and image | chosen | rejected]`.

Positions restart behind the prompt and the attention mask hides the completions from each other, so
the log-probabilities are those of separate passes, but image and prompt are computed once. Where a
family cannot take a mask of our own, each completion gets a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sticflow_ml.images import ProcessedImage, as_encoder_outputs
from sticflow_ml.losses import token_logps
from sticflow_ml.model import LoadedModel

# Shape suffixes: A position axes, B rows, T tokens of a row, K kept places, V vocabulary


@dataclass(frozen=True)
class PromptedCompletions:
    """A prompt with its image, and texts that each follow it directly."""

    prompt_ids: list[int]
    completions: list[list[int]]
    image: ProcessedImage

    @property
    def num_tokens(self) -> int:
        """Length of the shared row."""
        return len(self.prompt_ids) + sum(map(len, self.completions))


def completion_logps(
    loaded: LoadedModel, rows: list[PromptedCompletions]
) -> list[list[torch.Tensor]]:
    """Log-probabilities of every completion token.

    Returns:
        For each row, for each completion, a tensor (number of its tokens,).
    """
    if loaded.encodes_images_apart:
        return _score(loaded, rows)
    alone = [
        PromptedCompletions(row.prompt_ids, [completion], row.image)
        for row in rows
        for completion in row.completions
    ]
    scored = iter(_score(loaded, alone))
    return [[next(scored)[0] for _ in row.completions] for row in rows]


def _score(loaded: LoadedModel, rows: list[PromptedCompletions]) -> list[list[torch.Tensor]]:
    prompt_length = max(len(row.prompt_ids) for row in rows)
    tail_length = max(sum(map(len, row.completions)) for row in rows)
    ids_BT = torch.full((len(rows), prompt_length + tail_length), loaded.chat.pad_token_id)
    mask_BTT = torch.zeros(len(rows), ids_BT.shape[1], ids_BT.shape[1], dtype=torch.bool)
    positions: list[torch.Tensor] = []
    for place, row in enumerate(rows):
        start = prompt_length - len(row.prompt_ids)
        tokens = [*row.prompt_ids, *(token for text in row.completions for token in text)]
        ids_BT[place, start : start + len(tokens)] = torch.tensor(tokens)
        mask_BTT[place] = _visible(row, start, ids_BT.shape[1])
        positions.append(_positions(loaded, row, start, ids_BT.shape[1]))
    logits_BKV = _forward(
        loaded, rows, ids_BT, mask_BTT, torch.stack(positions, dim=1), keep=tail_length + 1
    )
    return [
        _pick(logits_KV, row.completions) for logits_KV, row in zip(logits_BKV, rows, strict=True)
    ]


def _visible(row: PromptedCompletions, start: int, length: int) -> torch.Tensor:
    """Which place (query, key) may look at which: causal, but never into another completion."""
    visible_TT = torch.eye(
        length, dtype=torch.bool
    )  # padded places see themselves: no empty softmax
    end = start + len(row.prompt_ids)
    visible_TT[start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
    begin = end
    for completion in row.completions:
        stop = begin + len(completion)
        visible_TT[begin:stop, start:end] = True
        visible_TT[begin:stop, begin:stop] = torch.ones(
            len(completion), len(completion), dtype=torch.bool
        ).tril()
        begin = stop
    return visible_TT


def _positions(
    loaded: LoadedModel, row: PromptedCompletions, start: int, length: int
) -> torch.Tensor:
    """Positions (A, T): each completion counts on from the prompt."""
    prompt_AT = loaded.positions(row.prompt_ids, row.image.inputs)
    next_position = int(prompt_AT.max()) + 1
    parts = [torch.zeros(len(prompt_AT), start, dtype=prompt_AT.dtype), prompt_AT]
    for completion in row.completions:
        counted = torch.arange(len(completion), dtype=prompt_AT.dtype) + next_position
        parts.append(counted.expand(len(prompt_AT), -1))
    positions_AT = torch.cat(parts, dim=1)
    return torch.nn.functional.pad(positions_AT, (0, length - positions_AT.shape[1]))


def _forward(
    loaded: LoadedModel,
    rows: list[PromptedCompletions],
    ids_BT: torch.Tensor,
    mask_BTT: torch.Tensor,
    positions_ABT: torch.Tensor,
    *,
    keep: int,
) -> torch.Tensor:
    device = loaded.device
    positions_ABT = positions_ABT.to(device)
    output = loaded.model(
        input_ids=ids_BT.to(device),
        attention_mask=mask_BTT.unsqueeze(1).to(device),
        position_ids=positions_ABT[0] if len(positions_ABT) == 1 else positions_ABT,
        use_cache=False,
        # The head is applied behind the last prompt token only: no logits for image and prompt.
        logits_to_keep=keep,
        **image_inputs(loaded, [row.image for row in rows]),
    )
    return output.logits


def image_inputs(loaded: LoadedModel, images: list[ProcessedImage]) -> dict[str, object]:
    """Model inputs for one image a row: its features where they exist, else its pixels."""
    features = [image.features_TD for image in images if image.features_TD is not None]
    if len(features) == len(images):
        return {"mm_encoder_outputs": as_encoder_outputs(features)}
    return {
        name: torch.cat([image.inputs[name] for image in images]).to(loaded.device)
        for name in images[0].inputs
    }


def _pick(logits_KV: torch.Tensor, completions: list[list[int]]) -> list[torch.Tensor]:
    """Log-probabilities from the kept logits: place 0 is the last prompt token, then the tail."""
    picked: list[torch.Tensor] = []
    begin = 1
    for completion in completions:
        # The first token of every completion is predicted by the prompt.
        places = [0, *range(begin, begin + len(completion) - 1)]
        ids_T = torch.tensor(completion, device=logits_KV.device)
        picked.append(token_logps(logits_KV[places], ids_T))
        begin += len(completion)
    return picked
