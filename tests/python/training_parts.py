"""The parts of a preference training, put together without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_requests import LORA, LOSS, OPTIMIZATION, pair_rows, work_request, write_lines

from sticflow_ml.adapters import fresh_adapter
from sticflow_ml.contract import LoraSettings, PreferencePair, TrainPreferenceRequest
from sticflow_ml.faults import Faults
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.model import load_model
from sticflow_ml.objective import Workplace
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.protocol import Reporter
from sticflow_ml.training import Training


class Messages:
    """A stream that keeps its messages instead of writing them to a pipe."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def notices(self) -> dict[str, str]:
        return {one.name: one.detail for one in self.sent if one.type == "notice"}


def preference_request(
    checkpoint: Path, pictures: Path, folder: Path, *, num_pairs: int, **changes: Any
) -> dict[str, Any]:
    """A request to train on pairs of `tiny_requests`, as a worker would send it."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = write_lines(folder / "pairs.jsonl", pair_rows(num_pairs))
    return work_request(
        "train_preference",
        checkpoint,
        folder / "work",
        **{
            "pairs_path": str(pairs),
            "image_roots": {"images": str(pictures), "corrupted": None},
            "loss": LOSS,
            "lora": LORA,
            "optimization": OPTIMIZATION,
            **changes,
        },
    )


def open_training(request: dict[str, Any], messages: Messages) -> Training:
    """Load model, adapter and images of a request."""
    parsed = TrainPreferenceRequest.model_validate(request)
    reporter = Reporter(messages, parsed.request_id)  # pyright: ignore[reportArgumentType]
    loaded = load_model(parsed.model, reporter)
    work_dir = Path(parsed.work_dir)
    work_dir.mkdir(exist_ok=True)
    return Training(
        request=parsed,
        data_path=Path(parsed.pairs_path),
        loaded=loaded,
        policy=fresh_adapter(loaded, LoraSettings.model_validate(LORA), seed=0),
        images=loaded.images(parsed.image_roots),
        workplace=Workplace(work_dir, reporter, Lifeline(), Faults(work_dir)),
    )


def open_scorer(training: Training, num_pairs: int) -> tuple[PairScorer, list[PreferencePair]]:
    """Pairs of the request and what scores them."""
    pairs = [PreferencePair.model_validate(row) for row in pair_rows(num_pairs)]
    return PairScorer(training, pairs[0]), pairs
