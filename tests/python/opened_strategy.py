"""A strategy of the preference training, opened on a tiny model with pairs that have what any strategy needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from parity_case import set_adapter
from tiny_requests import pair_rows, write_lines
from training_parts import Messages, open_training, preference_request

from sticflow_ml.contract import PreferencePair
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.strategies.registry import open_strategy
from sticflow_ml.strategies.strategy import Logps
from sticflow_ml.training import Training

NUM_PAIRS = 4
POSITIVE_ONLY = {"objective": {"kind": "positive_only"}, "reference": "none"}


def released(rejected_logps: str, training_image: str) -> dict[str, Any]:
    objective = {
        "kind": "stic_released",
        "rejected_logps": rejected_logps,
        "training_image": training_image,
    }
    return {"objective": objective, "reference": "base"}


MDPO = {
    "objective": {"kind": "mdpo", "image_weight": 0.7, "anchor_weight": 0.3, "anchor": 0.05},
}

POVID = {"objective": {"kind": "povid", "rejected_weight": 0.7, "noisy_weight": 0.4}}

STRATEGIES: dict[str, dict[str, Any]] = {
    "stic-paper": {},
    "positive-only": POSITIVE_ONLY,
    "stic-released": released("alternatives", "none"),
    "stic-released, labels and image": released("labels", "clean"),
    "mdpo": MDPO,
    "povid": POVID,
}


class Opened:
    """A strategy with its pairs, an adapter that does something, and the reference without it."""

    def __init__(self, training: Training, pairs: list[PreferencePair]) -> None:
        set_adapter(training.policy)
        training.policy.eval()
        self.training = training
        self.pairs = pairs
        self.strategy = open_strategy(training.request, training, pairs[0])  # pyright: ignore[reportArgumentType]

    def loss(self, places: list[int]) -> tuple[float, dict[str, float]]:
        """Share of some pairs in the loss of all."""
        rows = [self.strategy.row(pair) for pair in self.pairs]
        tokens = [len(row.completions[0]) for row in rows]
        pairs = [self.pairs[place] for place in places]
        picked = [rows[place] for place in places]
        with torch.no_grad():
            policy = self.strategy.score(self.training.policy, pairs, picked)
            with self.training.policy.disable_adapter():
                reference: Logps = self.strategy.score(self.training.policy, pairs, picked)
            loss, metrics = self.strategy.loss(
                policy,
                {} if self.training.request.reference == "none" else reference,  # pyright: ignore[reportAttributeAccessIssue]
                num_chosen_tokens_B=torch.tensor([tokens[place] for place in places]),
                batch=GlobalBatch(len(self.pairs), sum(tokens)),
            )
        return float(loss), metrics


def rows_with_contrast() -> list[dict[str, Any]]:
    """Pairs, each with another picture as its corrupted image."""
    rows = pair_rows(NUM_PAIRS)
    for number, row in enumerate(rows):
        row["provenance"]["contrast"] = {
            "corruption": {"kind": "jpeg", "severity": 1.0, "quality": 1},
            "image": {"root": "images", "file": f"{number + 1}.png"},
        }
    return rows


def request_of(
    checkpoint: Path, pictures: Path, folder: Path, **changes: Any
) -> dict[str, Any]:  # fmt: skip
    """A request whose pairs have what any strategy needs."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = write_lines(folder / "pairs-with-contrast.jsonl", rows_with_contrast())
    return preference_request(
        checkpoint, pictures, folder, num_pairs=NUM_PAIRS, pairs_path=str(pairs), **changes
    )


def opened(
    checkpoint: Path, pictures: Path, folder: Path, *, rows: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Opened:  # fmt: skip
    request = request_of(checkpoint, pictures, folder, **changes)
    pairs = [PreferencePair.model_validate(row) for row in rows or rows_with_contrast()]
    return Opened(open_training(request, Messages()), pairs)
