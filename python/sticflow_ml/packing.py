"""Conversations behind each other in one row, each blind to the others: a batch without padding.

As rows with a shared prefix (shared_prefix.py) whose prefix is empty: positions restart for every
conversation, and attention goes by pieces. It is the same loss; only the sums run in another order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.forward import Sharing, compare_passes, score
from sticflow_ml.images import ProcessedImage
from sticflow_ml.model import LoadedModel
from sticflow_ml.shared_prefix import Row, Rows, lay_out, positions_of, scored_of, tree_mask


def pack(rows: Sequence[Row]) -> Rows:
    """Lay rows of one completion out as one row; `completion_BN` says which of them a token belongs to.

    With rows of prompt (a) and completion (b c), and of prompt (d) and completion (e): tokens a b c d e,
    positions 0 1 2 0 1, scored places 0 1 3 for the targets b c e; `e` sees d and e.
    """
    ids: list[int] = []
    segments: list[int] = []
    scored: list[tuple[int, int, int]] = []
    for number, row in enumerate(rows):
        start = len(ids)
        scored += [(start + place, target, number) for place, target, _ in scored_of(row)]
        ids += row.prompt_ids + row.completions[0]
        segments += [1 + number] * row.num_row_tokens
    return Rows(
        input_ids_BT=torch.tensor([ids]),
        positions_ABT=torch.cat([positions_of(row) for row in rows], dim=1).unsqueeze(1),
        mask=tree_mask(torch.tensor([segments])),
        predict_BN=torch.tensor([[place for place, _, _ in scored]], dtype=torch.long),
        targets_BN=torch.tensor([[target for _, target, _ in scored]], dtype=torch.long),
        completion_BN=torch.tensor([[number for _, _, number in scored]], dtype=torch.long),
        lengths=[(0, *(row.num_row_tokens for row in rows))],
    )


def probe_packing(
    loaded: LoadedModel, rows: Sequence[Row], images: list[ProcessedImage]
) -> Sharing:
    """Compare one packed pass over rows with a pass for each."""

    def logps(tensors: Rows, shown: list[ProcessedImage]) -> torch.Tensor:
        return score(loaded.model, loaded, tensors.to(loaded.device), shown)[0]

    pad = loaded.chat.pad_token_id
    return compare_passes(
        loaded,
        apart=lambda: [
            logps(lay_out([row], pad_token_id=pad), [image])
            for row, image in zip(rows, images, strict=True)
        ],
        together=lambda: logps(pack(rows), images),
        name="packed",
    )
