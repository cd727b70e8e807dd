"""Read the prompts of new rows into a cache: what several prompts begin with is read once.

The prompts of one image share the image and often more. First the common beginnings are read, one
row each; then every prompt reads its own rest behind a copy of its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from sticflow_ml.forward import image_inputs
from sticflow_ml.images import ProcessedImage
from sticflow_ml.key_value_cache import CachedRows, new_cache
from sticflow_ml.model import LoadedModel

# Shape suffixes: A position axes, B rows, T tokens, V vocabulary


@dataclass(frozen=True)
class Prompt:
    """One row: tokens with the run of image tokens in place, its image and how to sample.

    `image` is None for a prompt of text alone.
    """

    token_ids: list[int]
    image: ProcessedImage | None
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class _Part:
    token_ids: list[int]
    positions_AT: torch.Tensor


def prefill(loaded: LoadedModel, prompts: list[Prompt]) -> tuple[torch.Tensor, CachedRows]:
    """Read prompts.

    Returns:
        Scores of the first token of every row (B, V), and the rows.
    """
    groups = _groups(loaded, prompts)
    lengths = [_common_length([prompts[row] for row in group]) for group in groups]
    positions = [
        loaded.positions(prompt.token_ids, {} if prompt.image is None else prompt.image.inputs)
        for prompt in prompts
    ]
    beginnings = [
        _Part(prompts[group[0]].token_ids[:length], positions[group[0]][:, :length])
        for group, length in zip(groups, lengths, strict=True)
    ]
    ids_BT, mask_BT, positions_ABT = _left_padded(loaded, beginnings)
    cache = new_cache(loaded.model)
    _forward(
        loaded,
        cache,
        (ids_BT, mask_BT, positions_ABT),
        image_inputs(loaded, [prompts[group[0]].image for group in groups]),
    )
    order = [row for group in groups for row in group]
    group_of = [number for number, group in enumerate(groups) for _ in group]
    cache.batch_select_indices(torch.tensor(group_of, device=loaded.device))
    length_of = {row: lengths[number] for row, number in zip(order, group_of, strict=True)}
    rests = [
        _Part(prompts[row].token_ids[length_of[row] :], positions[row][:, length_of[row] :])
        for row in order
    ]
    rest_ids_BT, rest_mask_BT, rest_positions_ABT = _left_padded(loaded, rests)
    mask_BT = torch.cat([mask_BT[group_of], rest_mask_BT], dim=1)
    logits_BV = _forward(loaded, cache, (rest_ids_BT, mask_BT, rest_positions_ABT), {})
    next_position_B = torch.tensor(
        [int(positions[row].max()) + 1 for row in order], device=loaded.device
    )
    rows = CachedRows(cache, mask_BT, next_position_B.expand(len(positions[0]), -1))
    back = [order.index(row) for row in range(len(prompts))]
    if back != order:
        rows.select(back)
    return logits_BV[back], rows


def _groups(loaded: LoadedModel, prompts: list[Prompt]) -> list[list[int]]:
    """Rows of one image that lie together, if they begin alike up to behind the image."""
    groups: list[list[int]] = []
    for row, prompt in enumerate(prompts):
        last = prompts[groups[-1][0]].image if groups else None
        if last is not None and last is prompt.image:
            together = [*(prompts[one] for one in groups[-1]), prompt]
            if _common_length(together) >= loaded.chat.end_of_image(prompt.token_ids):
                groups[-1].append(row)
                continue
        groups.append([row])
    return groups


def _common_length(prompts: list[Prompt]) -> int:
    """Tokens that all prompts begin with; every prompt keeps at least one for itself."""
    shortest = min(len(prompt.token_ids) for prompt in prompts) - 1
    first, *others = (prompt.token_ids for prompt in prompts)
    for place in range(shortest):
        if any(other[place] != first[place] for other in others):
            return place
    return shortest


def _left_padded(
    loaded: LoadedModel, parts: list[_Part]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids and mask (B, T) and positions (A, B, T) on the model's device."""
    length = max(len(part.token_ids) for part in parts)
    ids_BT = torch.full((len(parts), length), loaded.chat.pad_token_id)
    mask_BT = torch.zeros_like(ids_BT)
    positions: list[torch.Tensor] = []
    for row, part in enumerate(parts):
        start = length - len(part.token_ids)
        ids_BT[row, start:] = torch.tensor(part.token_ids)
        mask_BT[row, start:] = 1
        positions.append(pad(part.positions_AT, (start, 0)))
    device = loaded.device
    return ids_BT.to(device), mask_BT.to(device), torch.stack(positions, dim=1).to(device)


def _forward(
    loaded: LoadedModel,
    cache: object,
    tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    images: dict[str, object],
) -> torch.Tensor:
    ids_BT, mask_BT, positions_ABT = tensors
    output = loaded.model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=positions_ABT[0] if len(positions_ABT) == 1 else positions_ABT,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **images,
    )
    return output.logits[:, -1]
