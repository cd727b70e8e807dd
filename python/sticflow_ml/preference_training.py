"""`train_preference`: an adapter learns from preference pairs (STIC, arXiv:2405.19716, algorithm 1).

What is scored and which loss is made of it is the strategy's (`strategies/`). The reference is the
policy that the request starts from, frozen: it wrote the pairs. Its log-probabilities are computed
once, before the first step, when policy and reference are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.contract import PreferencePair, TrainPreferenceRequest
from sticflow_ml.invariants import check_start
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.objective import Objective, example_order
from sticflow_ml.pair_scorer import CHOSEN
from sticflow_ml.preparation import keep_fitting, prepare
from sticflow_ml.protocol import Reporter
from sticflow_ml.single_stage import with_examples
from sticflow_ml.strategies.registry import open_strategy
from sticflow_ml.strategies.strategy import Logps, PairStrategy
from sticflow_ml.training import Training, require_one_image, run_training
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.world import World


def train_preference(
    request: TrainPreferenceRequest,
    *,
    warm: WarmPolicy,
    reporter: Reporter,
    lifeline: Lifeline,
    world: World | None = None,
) -> None:
    """Write the adapter to `<work_dir>/output` and report the result.

    Raises:
        SticflowError: `DataInvalid`, `ModelInvalid`, `NonFiniteLoss`, `TrainingInvariant`.
        Stopped: SIGTERM came; a checkpoint is on disk.
    """
    pairs = read_records(Path(request.pairs_path), PreferencePair, key="pair_id")
    for pair in pairs:
        require_one_image(pair.pair_id, [*pair.prompt, *pair.chosen])

    def prepare_pairs(training: Training) -> tuple[Objective, dict[str, Any]]:
        strategy = open_strategy(request, training, pairs[0])
        lines = _reference_lines(request, training, strategy, pairs)
        kept, facts = keep_fitting(
            [pair.pair_id for pair in pairs],
            [line["num_tokens"] for line in lines],
            max_length=training.max_length,
            reporter=reporter,
        )
        objective = Pairs(
            request, strategy, [pairs[place] for place in kept], [lines[place] for place in kept]
        )
        if _starts_at_reference(request):
            objective.check_start(training)
        facts = {
            **facts,
            "forward": strategy.forward,
            "forward_reason": strategy.forward_reason,
        }
        if request.infused is None:
            return objective, facts
        both, more = with_examples(objective, training, request.infused)
        return both, {**facts, **more}

    run_training(
        request,
        data_path=request.pairs_path,
        warm=warm,
        reporter=reporter,
        lifeline=lifeline,
        world=world,
        prepare=prepare_pairs,
    )


class Pairs:
    """The pairs that fit, as an objective: tokens, reference and loss."""

    def __init__(
        self,
        request: TrainPreferenceRequest,
        strategy: PairStrategy,
        pairs: list[PreferencePair],
        lines: list[dict[str, Any]],
    ) -> None:
        self._request = request
        self._strategy = strategy
        self._pairs = pairs
        self._lines = lines
        self.example_ids = [pair.pair_id for pair in pairs]
        self.num_tokens = [line["num_row_tokens"] for line in lines]
        self.num_target_tokens = [line["num_chosen_tokens"] for line in lines]

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Loss of a micro-batch, by the strategy."""
        policy, reference = self._logps(model, places)
        tokens = [self.num_target_tokens[place] for place in places]
        return self._strategy.loss(
            policy,
            reference,
            num_chosen_tokens_B=torch.tensor(tokens, device=policy["chosen"].device),
            batch=batch,
        )

    @torch.no_grad()
    def check_start(self, training: Training) -> None:
        """Compare policy and reference on the first micro-batch, without dropout."""
        spec = self._request.optimization
        order = example_order(len(self._pairs), spec.num_epochs, spec.seed)
        training.policy.eval()
        policy, reference = self._logps(training.policy, order[: spec.micro_batch_size])
        difference = torch.cat([policy[name] - reference[name] for name in policy])
        check_start(self._request.loss.beta * difference, dtype=training.loaded.model.dtype)

    def _logps(self, model: torch.nn.Module, places: list[int]) -> tuple[Logps, Logps]:
        pairs = [self._pairs[place] for place in places]
        rows = [self._strategy.row(pair) for pair in pairs]
        policy = self._strategy.score(model, pairs, rows)
        if self._request.reference == "none":
            return policy, {}
        device = policy["chosen"].device
        return policy, {
            name: torch.tensor([self._lines[place][name] for place in places], device=device)
            for name in policy
        }


def _starts_at_reference(request: TrainPreferenceRequest) -> bool:
    """Whether policy and reference are the same before the first step."""
    return request.reference is None or (request.reference == "base" and request.adapter is None)


def _reference_lines(
    request: TrainPreferenceRequest,
    training: Training,
    strategy: PairStrategy,
    pairs: list[PreferencePair],
) -> list[dict[str, Any]]:
    """Lengths and reference log-probabilities of all pairs, from disk where they are known."""

    @torch.no_grad()
    def work(group: Sequence[PreferencePair]) -> list[dict[str, Any]]:
        rows = [strategy.row(pair) for pair in group]
        lines: list[dict[str, Any]] = [
            {
                "pair_id": pair.pair_id,
                "num_tokens": row.num_tokens,
                "num_row_tokens": row.num_row_tokens,
                "num_chosen_tokens": len(row.completions[CHOSEN]),
            }
            for pair, row in zip(group, rows, strict=True)
        ]
        fitting = [place for place, row in enumerate(rows) if row.num_tokens <= training.max_length]
        scored = [(group[place], rows[place]) for place in fitting]
        if not scored and training.workplace.is_sharded:
            scored = [(pairs[0], strategy.row(pairs[0]))]  # a pass that the other ranks need
        if scored and request.reference != "none":
            with _reference_policy(request, training) as reference:
                logps = strategy.score(
                    reference, [pair for pair, _ in scored], [row for _, row in scored]
                )
            for name, logps_B in logps.items():
                for index, place in enumerate(fitting):
                    lines[place][name] = logps_B[index].item()
        return lines

    training.policy.eval()
    size = request.optimization.micro_batch_size
    objective = request.objective
    return prepare(
        pairs,
        work,
        path=training.workplace.work_dir / "reference_logps.jsonl",
        fingerprint={
            **training.fingerprint(),
            "group_size": size,
            "forward": strategy.forward,
            "objective": None if objective is None else objective.model_dump(mode="json"),
            "reference": request.reference,
        },
        group_size=size,
        workplace=training.workplace,
    )


@contextmanager
def _reference_policy(
    request: TrainPreferenceRequest, training: Training
) -> Iterator[torch.nn.Module]:
    """The policy as it is before the first step, or the base without its adapter."""
    if request.reference == "base":
        with training.policy.disable_adapter():
            yield training.policy
    else:
        yield training.policy
