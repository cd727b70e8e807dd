"""Ours: the scorer and the loss of `train_preference`, with each of its savings switchable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from product import open_images

from sticflow_ml.contract import PreferencePair, TrainPreferenceRequest
from sticflow_ml.faults import Faults
from sticflow_ml.forward import Sharing
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss
from sticflow_ml.model import LoadedModel
from sticflow_ml.objective import Workplace
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.protocol import Reporter
from sticflow_ml.training import Training


@dataclass(frozen=True)
class Savings:
    """Which work is not done twice."""

    encodes_once: bool
    shares_prefix: bool
    caches_reference: bool


VARIANTS = {
    "plain": Savings(encodes_once=False, shares_prefix=False, caches_reference=False),
    "image_once": Savings(encodes_once=True, shares_prefix=False, caches_reference=False),
    "shared_prefix": Savings(encodes_once=True, shares_prefix=True, caches_reference=False),
    "cached_reference": Savings(encodes_once=True, shares_prefix=True, caches_reference=True),
}


class _NoListener:
    """A stream without a reader; what matters here is raised."""

    def send(self, message: object) -> None:
        del message


class OurStep:
    """Optimizer steps of one variant, over pictures it has not seen before."""

    def __init__(
        self,
        loaded: LoadedModel,
        policy: PeftModel,
        folder: Path,
        first: PreferencePair,
        *,
        savings: Savings,
        beta: float,
        chosen_nll_weight: float,
    ) -> None:
        self.policy = policy
        self._savings = savings
        self._beta = beta
        self._weight = chosen_nll_weight
        self._open = lambda: _scorer(loaded, policy, folder, first, savings)
        self._scorer = self._open()
        self._stored: dict[tuple[str, ...], PairLogps] = {}
        self.last: PairLogps | None = None

    def prepare(self, pairs: Sequence[PreferencePair]) -> None:
        """Compute the reference of pairs before the clock runs, where this variant keeps it."""
        if self._savings.caches_reference:
            # Through a scorer of its own: the step is not to find these pictures encoded.
            self._stored[_ids(pairs)] = self._reference(self._open(), pairs)

    def loss(self, pairs: Sequence[PreferencePair]) -> torch.Tensor:
        """Read pictures, make rows and run the forward passes."""
        rows = [self._scorer.row(pair) for pair in pairs]
        stored = self._stored.pop(_ids(pairs), None)
        reference = self._reference(self._scorer, pairs) if stored is None else stored
        policy = self._scorer.logps(self.policy, pairs, rows)
        self.last = policy
        tokens = [len(row.completions[0]) for row in rows]
        return preference_loss(
            policy,
            reference,
            num_chosen_tokens_B=torch.tensor(tokens, device=policy.chosen_B.device),
            beta=self._beta,
            chosen_nll_weight=self._weight,
            nll_reduction="token",
            batch=GlobalBatch(num_examples=len(rows), num_target_tokens=sum(tokens)),
        )

    def logps(self) -> dict[str, float]:
        """Mean log-probabilities of the last batch, under TRL's names."""
        assert self.last is not None, "a step came before"
        return {
            "logps/chosen": float(self.last.chosen_B.detach().mean()),
            "logps/rejected": float(self.last.rejected_B.detach().mean()),
        }

    @torch.no_grad()
    def _reference(self, scorer: PairScorer, pairs: Sequence[PreferencePair]) -> PairLogps:
        with self.policy.disable_adapter():
            return scorer.logps(self.policy, pairs, [scorer.row(pair) for pair in pairs])


def as_pair(number: int, row: dict[str, Any]) -> PreferencePair:
    """A benchmark row as a record of ours; its picture is `<number>.png`."""
    return PreferencePair.model_validate(
        {
            "pair_id": f"pair-{number}",
            "images": [{"root": "images", "file": f"{number}.png"}],
            **{side: row[side] for side in ("prompt", "chosen", "rejected")},
            "provenance": {
                "image_id": "0" * 64, "source_name": f"{number}.png", "round": 1,
                "policy": {"model_sha256": "0" * 64, "adapter_sha256": None},
                "prompt_id": "normal/0", "chosen_prompt_id": "good", "rejected_prompt_id": "bad/0",
                "rejection_source": "bad_prompt", "corruption": None, "corrupted_image": None,
                "run_seed": 0, "chosen_seed": 1, "rejected_seed": 2,
                "sampling": {"temperature": 0.2, "top_p": None, "max_new_tokens": 64},
                "chosen_finish_reason": "stop", "rejected_finish_reason": "stop",
            },
        }
    )  # fmt: skip


def _ids(pairs: Sequence[PreferencePair]) -> tuple[str, ...]:
    return tuple(pair.pair_id for pair in pairs)


def _scorer(
    loaded: LoadedModel, policy: PeftModel, folder: Path, first: PreferencePair, savings: Savings
) -> PairScorer:
    request = TrainPreferenceRequest.model_validate(
        {
            "protocol_version": 1, "request_id": "bench", "command": "train_preference",
            "work_dir": str(folder), "attempt": 1, "lock_timeout_seconds": 1,
            "model": loaded.spec.model_dump(), "adapter": None,
            "image_roots": {"images": str(folder), "corrupted": None},
            "pairs_path": str(folder / "pairs.jsonl"),
            "loss": {"beta": 0.1, "chosen_nll_weight": 1.0, "nll_reduction": "token"},
            "lora": {"r": 1, "alpha": 1, "dropout": 0.0, "target_modules": ["q_proj"]},
            "optimization": {
                "learning_rate": 1e-5, "num_epochs": 1, "global_batch_size": 1,
                "micro_batch_size": 1, "weight_decay": 0.0, "warmup_ratio": 0.0,
                "lr_scheduler": "constant", "max_grad_norm": 1.0, "max_length": None,
                "gradient_checkpointing": False, "save_steps": 1, "seed": 0,
            },
        }
    )  # fmt: skip
    training = Training(
        request=request,
        data_path=folder / "pairs.jsonl",
        loaded=loaded,
        policy=policy,
        images=open_images(loaded, folder, encode_once=savings.encodes_once),
        workplace=Workplace(
            folder,
            Reporter(_NoListener(), "bench"),  # pyright: ignore[reportArgumentType]
            Lifeline(),
            Faults(folder, ""),
        ),
    )
    scorer = PairScorer(training, first)
    if not scorer.sharing.is_shared:
        raise RuntimeError(f"Expected a model that shares its prefix: {scorer.sharing.reason}")
    if not savings.shares_prefix:
        scorer.sharing = Sharing(False, "this variant runs two passes")
    return scorer
