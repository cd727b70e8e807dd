"""Score rows with a model: one forward pass, logits only where a token is scored.

Also finds out whether a family may share prompt and image between completions at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sticflow_ml.images import ProcessedImage, as_encoder_outputs
from sticflow_ml.losses import token_logps
from sticflow_ml.model import LoadedModel
from sticflow_ml.shared_prefix import Row, Rows, lay_out
from sticflow_ml.split_attention import KEYWORD, RowPieces

# From logits (..., V) and target tokens (...) to one number a target
Pick = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# Largest difference of a token's log-probability between one shared and two separate passes.
SHARING_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.3, torch.float16: 0.1}


def score(
    model: torch.nn.Module,
    loaded: LoadedModel,
    rows: Rows,
    images: list[ProcessedImage],
    pick: Pick = token_logps,
) -> torch.Tensor:
    """Log-probabilities of the scored tokens.

    Args:
        model: The callable that gradients go through: the base with its adapter, or a wrapper.
        loaded: What the model was made from.
        rows: On the model's device.
        images: One a row; none for texts without.
        pick: What is taken from the logits of the scored places.

    Returns:
        (B, N), N as in `rows.targets_BN`.
    """
    positions_ABT = rows.positions_ABT
    # Rows of one completion keep the mask of the family, which may be more than causal.
    pieces = RowPieces(rows.lengths) if rows.has_several_completions else None
    is_bfloat16 = loaded.model.dtype == torch.bfloat16 and loaded.device.type == "cuda"
    # The adapter's master weights are float32; on a GPU its products run in the base's bfloat16.
    with torch.autocast(loaded.device.type, dtype=torch.bfloat16, enabled=is_bfloat16):
        output = model(
            input_ids=rows.input_ids_BT,
            attention_mask=rows.mask,
            position_ids=positions_ABT[0] if len(positions_ABT) == 1 else positions_ABT,
            use_cache=False,
            # Hidden states are picked before the head: logits of the whole row never exist.
            logits_to_keep=rows.predict_BN,
            **({} if pieces is None else {KEYWORD: pieces}),
            **image_inputs(loaded, images),
        )
    if pieces is not None:
        loaded.attention_seen.add("split" if pieces.is_used else "dense")
    return pick(output.logits, rows.targets_BN)


def image_inputs(loaded: LoadedModel, images: Sequence[ProcessedImage | None]) -> dict[str, Any]:
    """Keyword arguments that give a model its images, one a row; None = a row of text alone."""
    shown = [image for image in images if image is not None]
    if not shown:
        return {}
    features = [image.features_TD for image in shown if image.features_TD is not None]
    if len(features) == len(shown):
        return {"mm_encoder_outputs": as_encoder_outputs(features)}
    return {
        name: torch.cat([image.inputs[name] for image in shown]).to(loaded.device)
        for name in shown[0].inputs
    }


@dataclass(frozen=True)
class Sharing:
    """Whether texts share a row, and why not."""

    is_shared: bool
    reason: str


def probe_sharing(loaded: LoadedModel, row: Row, image: ProcessedImage) -> Sharing:
    """Compare one shared pass over a row with a pass for each completion."""
    return compare_passes(
        loaded,
        apart=lambda: [
            _logps(loaded, Row(row.prompt_ids, [completion], row.prompt_positions_AT), image)
            for completion in row.completions
        ],
        together=lambda: _logps(loaded, row, image),
        name="shared",
    )


@torch.no_grad()
def compare_passes(
    loaded: LoadedModel,
    *,
    apart: Callable[[], Sequence[torch.Tensor]],
    together: Callable[[], torch.Tensor],
    name: str,
) -> Sharing:
    """Find out whether one pass gives the log-probabilities of several.

    Sharing is right only for plain causal attention with positions that may restart. Instead of a
    list of families, the model itself is asked: windows, image tokens that see each other, and
    recurrent layers all show as a difference.

    Args:
        loaded: The base.
        apart: Log-probabilities (N,) of each pass of its own.
        together: Those of the one pass, in the same order.
        name: Of the one pass, for the reason.
    """
    if not loaded.encodes_images_apart:
        return Sharing(False, f"{type(loaded.model).__name__} takes no encoded images")
    window = attention_window(loaded)
    if window is not None:
        return Sharing(False, f"its attention reaches back over a window of {window} tokens only")
    was_training = loaded.model.training
    loaded.model.eval()
    try:
        expected = torch.cat(list(apart()))
        try:
            found = together()
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            return Sharing(False, f"the {name} pass failed: {type(error).__name__}: {error}"[:300])
    finally:
        loaded.model.train(was_training)
    difference = float((found - expected).abs().max())
    tolerance = SHARING_TOLERANCE[loaded.model.dtype]
    if difference <= tolerance:
        return Sharing(True, "")
    return Sharing(
        False,
        f"log-probabilities of the {name} pass differ by {difference:.3g}, more than {tolerance:g}",
    )


def attention_window(loaded: LoadedModel) -> int | None:
    """Tokens that a layer may look back; None where every layer sees all.

    Asked of the configuration because the row at hand may be shorter than the window, and a mask of
    ours would lift it for the longer ones.
    """
    config = loaded.model.config.get_text_config(decoder=True)
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and set(kinds) <= {"full_attention"}:
        return None
    return getattr(config, "sliding_window", None)


def _logps(loaded: LoadedModel, row: Row, image: ProcessedImage) -> torch.Tensor:
    rows = lay_out([row], pad_token_id=loaded.chat.pad_token_id).to(loaded.device)
    return score(loaded.model, loaded, rows, [image])[0]
