"""`train_preference`: regularised DPO of an adapter (STIC, arXiv:2405.19716, algorithm 1).

Both texts of a pair are scored on the clean image. The reference is the policy that the request
starts from, frozen: it wrote the pairs. Its log-probabilities are computed once, before the first
step, when policy and reference are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sticflow_ml.adapters import WarmPolicy
from sticflow_ml.contract import PreferencePair, TrainPreferenceRequest
from sticflow_ml.forward import Sharing, probe_sharing, score
from sticflow_ml.invariants import check_start
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss, preference_metrics
from sticflow_ml.objective import example_order
from sticflow_ml.preparation import keep_fitting, prepare
from sticflow_ml.protocol import Reporter
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training, require_one_image, run_training
from sticflow_ml.world import World

CHOSEN, REJECTED = 0, 1


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

    def prepare_pairs(training: Training) -> tuple[Pairs, dict[str, Any]]:
        scorer = PairScorer(training, pairs[0])
        lines = _reference_lines(request, training, scorer, pairs)
        kept, facts = keep_fitting(
            [pair.pair_id for pair in pairs],
            [line["num_tokens"] for line in lines],
            max_length=training.max_length,
            reporter=reporter,
        )
        objective = Pairs(
            request, scorer, [pairs[place] for place in kept], [lines[place] for place in kept]
        )
        objective.check_start(training)
        forward = "shared_prefix" if scorer.sharing.is_shared else "two_passes"
        return objective, {**facts, "forward": forward, "forward_reason": scorer.sharing.reason}

    run_training(
        request,
        data_path=request.pairs_path,
        warm=warm,
        reporter=reporter,
        lifeline=lifeline,
        world=world,
        prepare=prepare_pairs,
    )


class PairScorer:
    """Turns pairs into rows, and rows into log-probabilities of chosen and rejected.

    Args:
        training: The request with its model.
        first: The pair that decides whether this family shares prompt and image.
    """

    def __init__(self, training: Training, first: PreferencePair) -> None:
        self._loaded = training.loaded
        self._images = training.images
        self._pad_token_id = training.loaded.chat.pad_token_id
        image = self._images.get(first.images[0])
        self.sharing: Sharing = probe_sharing(self._loaded, self.row(first), image)
        if not self.sharing.is_shared:
            training.workplace.reporter.notice(
                "prefix_not_shared", f"chosen and rejected run apart: {self.sharing.reason}"
            )

    def row(self, pair: PreferencePair) -> Row:
        """Return the tokens of a pair; its image is needed to know how many tokens that one has."""
        chat = self._loaded.chat
        image = self._images.get(pair.images[0], encoded=False)
        prompt_ids = chat.prompt_ids(list(pair.prompt), image.replacement)
        completions: list[list[int]] = []
        for answer in (pair.chosen, pair.rejected):
            ids, turns = chat.conversation_ids([*pair.prompt, *answer], image.replacement)
            completions.append(ids[turns[-1].start : turns[-1].end])
        positions_AT = self._loaded.positions(prompt_ids, image.inputs)
        return Row(prompt_ids, completions, positions_AT)

    def logps(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> PairLogps:
        """Score pairs: one pass with a shared prefix, or one pass a side."""
        images = [self._images.get(pair.images[0]) for pair in pairs]
        passes = [list(rows)] if self.sharing.is_shared else [_side(rows, 0), _side(rows, 1)]
        sums: list[torch.Tensor] = []
        for of_pass in passes:
            tensors = lay_out(of_pass, pad_token_id=self._pad_token_id).to(self._loaded.device)
            logps_BN = score(model, self._loaded, tensors, images)
            for completion in range(len(of_pass[0].completions)):
                is_other_BN = tensors.completion_BN != completion
                sums.append(logps_BN.masked_fill(is_other_BN, 0.0).sum(dim=-1))
        return PairLogps(chosen_B=sums[CHOSEN], rejected_B=sums[REJECTED])


class Pairs:
    """The pairs that fit, as an objective: tokens, reference and loss."""

    def __init__(
        self,
        request: TrainPreferenceRequest,
        scorer: PairScorer,
        pairs: list[PreferencePair],
        lines: list[dict[str, Any]],
    ) -> None:
        self._request = request
        self._scorer = scorer
        self._pairs = pairs
        self._lines = lines
        self.example_ids = [pair.pair_id for pair in pairs]
        self.num_tokens = [line["num_row_tokens"] for line in lines]
        self.num_target_tokens = [line["num_chosen_tokens"] for line in lines]

    def loss(
        self, model: torch.nn.Module, places: list[int], batch: GlobalBatch
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Regularised DPO of a micro-batch."""
        policy, reference = self._logps(model, places)
        spec = self._request.loss
        tokens = [self.num_target_tokens[place] for place in places]
        loss = preference_loss(
            policy,
            reference,
            num_chosen_tokens_B=torch.tensor(tokens, device=policy.chosen_B.device),
            beta=spec.beta,
            chosen_nll_weight=spec.chosen_nll_weight,
            nll_reduction=spec.nll_reduction,
            batch=batch,
        )
        metrics = preference_metrics(policy, reference, beta=spec.beta)
        # Of every pair, so that its mean over a step is 1 or 0.
        return loss, {
            **metrics,
            "shares_prefix": len(places) * float(self._scorer.sharing.is_shared),
        }

    @torch.no_grad()
    def check_start(self, training: Training) -> None:
        """Compare policy and reference on the first micro-batch, without dropout."""
        spec = self._request.optimization
        order = example_order(len(self._pairs), spec.num_epochs, spec.seed)
        training.policy.eval()
        policy, reference = self._logps(training.policy, order[: spec.micro_batch_size])
        difference = torch.cat(
            [policy.chosen_B - reference.chosen_B, policy.rejected_B - reference.rejected_B]
        )
        check_start(self._request.loss.beta * difference, dtype=training.loaded.model.dtype)

    def _logps(self, model: torch.nn.Module, places: list[int]) -> tuple[PairLogps, PairLogps]:
        pairs = [self._pairs[place] for place in places]
        policy = self._scorer.logps(model, pairs, [self._scorer.row(pair) for pair in pairs])
        device = policy.chosen_B.device
        stored = [
            torch.tensor([self._lines[place][side] for place in places], device=device)
            for side in ("chosen", "rejected")
        ]
        return policy, PairLogps(chosen_B=stored[CHOSEN], rejected_B=stored[REJECTED])


def _reference_lines(
    request: TrainPreferenceRequest,
    training: Training,
    scorer: PairScorer,
    pairs: list[PreferencePair],
) -> list[dict[str, Any]]:
    """Lengths and reference log-probabilities of all pairs, from disk where they are known."""

    @torch.no_grad()
    def work(group: Sequence[PreferencePair]) -> list[dict[str, Any]]:
        rows = [scorer.row(pair) for pair in group]
        fits = [row.num_tokens <= training.max_length for row in rows]
        fitting = [place for place, fit in enumerate(fits) if fit]
        lines: list[dict[str, Any]] = [
            {
                "pair_id": pair.pair_id,
                "num_tokens": row.num_tokens,
                "num_row_tokens": row.num_row_tokens,
                "num_chosen_tokens": len(row.completions[CHOSEN]),
                "chosen": None,
                "rejected": None,
            }
            for pair, row in zip(group, rows, strict=True)
        ]
        if fitting:
            logps = scorer.logps(
                training.policy,
                [group[place] for place in fitting],
                [rows[place] for place in fitting],
            )
            for index, place in enumerate(fitting):
                lines[place]["chosen"] = logps.chosen_B[index].item()
                lines[place]["rejected"] = logps.rejected_B[index].item()
        return lines

    training.policy.eval()
    size = request.optimization.micro_batch_size
    return prepare(
        pairs,
        work,
        path=training.workplace.work_dir / "reference_logps.jsonl",
        fingerprint={
            **training.fingerprint(),
            "group_size": size,
            "shares_prefix": scorer.sharing.is_shared,
        },
        group_size=size,
        workplace=training.workplace,
    )


def _side(rows: Sequence[Row], side: int) -> list[Row]:
    return [Row(row.prompt_ids, [row.completions[side]], row.prompt_positions_AT) for row in rows]
