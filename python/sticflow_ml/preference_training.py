"""`train_preference`: regularised DPO of an adapter (STIC, arXiv:2405.19716, algorithm 1).

The reference is the policy that the request starts from, frozen: it wrote the pairs. Its
log-probabilities are computed once, before the first step, when policy and reference are one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sticflow_ml.adapter_output import write_adapter
from sticflow_ml.adapters import WarmPolicy, continue_adapter, fresh_adapter
from sticflow_ml.contract import PreferencePair, TrainPreferenceRequest
from sticflow_ml.errors import SticflowError
from sticflow_ml.faults import Faults
from sticflow_ml.images import Images
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch, PairLogps, preference_loss, preference_metrics
from sticflow_ml.model import LoadedModel
from sticflow_ml.protocol import Reporter
from sticflow_ml.shared_prefix import PromptedCompletions, completion_logps
from sticflow_ml.trainer import Workplace, sampled_sha256, train
from sticflow_ml.training_examples import fitting, longest_allowed, require_language_model_only
from sticflow_ml.work_folder import read_json, sha256_of_file, sha256_of_json, write_json

# How far policy and reference may lie apart before the first step: rounding of one forward pass.
_TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2, "float16": 2e-2}


def train_preference(
    request: TrainPreferenceRequest, *, policy: WarmPolicy, reporter: Reporter, lifeline: Lifeline
) -> None:
    """Write the adapter to `<work_dir>/output` and report the result.

    Raises:
        SticflowError: `DataInvalid`, `ModelInvalid`, `NonFiniteLoss`, `TrainingInvariant`.
        Stopped: SIGTERM came; a checkpoint is on disk.
    """
    work_dir = Path(request.work_dir)
    loaded = policy.base(request.model, reporter)
    base_before = sampled_sha256(loaded.model.named_parameters())
    spec = request.optimization
    peft = (
        fresh_adapter(loaded, request.lora, seed=spec.seed % 2**32)
        if request.adapter is None
        else continue_adapter(loaded, request.adapter)
    )
    peft.set_adapter("default")
    require_language_model_only(loaded)
    pairs = _Pairs(request, loaded)
    reference = _reference_logps(request, loaded, pairs, reporter, lifeline)
    pairs.set_reference(reference)
    workplace = Workplace(work_dir, reporter, lifeline, Faults(work_dir))
    metrics = train(peft, pairs, spec, name="train_preference", workplace=workplace)
    facts = {
        "stage": "preference_training",
        "num_examples": len(pairs.example_ids),
        "dropped": pairs.dropped,
        "num_steps": len(metrics.rows),
        "shares_prefix": loaded.encodes_images_apart,
        "reference": "the policy that wrote the pairs, frozen",
        "reference_fingerprint": _fingerprint(request, loaded),
        "device": loaded.device.type,
    }
    write_adapter(work_dir / "output", peft, metrics, facts, base_sha256=request.model.sha256)
    _require_frozen(peft, loaded, base_before)
    reporter.result(
        len(pairs.example_ids),
        {"num_steps": len(metrics.rows), "num_dropped": len(pairs.dropped), **_last(metrics.rows)},
    )


class _Pairs:
    """The pairs as an objective: tokens, reference and loss."""

    def __init__(self, request: TrainPreferenceRequest, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._loss = request.loss
        self._dtype = request.model.dtype
        self._images: Images = loaded.images(request.image_roots)
        self._reference: tuple[torch.Tensor, torch.Tensor] | None = None
        pairs = read_records(Path(request.pairs_path), PreferencePair, key="pair_id")
        limit = longest_allowed(request.optimization.max_length, loaded)
        kept, self.dropped = fitting(
            ((pair.pair_id, pair, self._tokens(pair)) for pair in pairs),
            limit=limit,
            length=lambda row: len(row.prompt_ids) + max(map(len, row.completions)),
        )
        self.example_ids = [pair.pair_id for pair, _ in kept]
        self._files = [pair.images[0] for pair, _ in kept]
        self._token_ids = [(row.prompt_ids, row.completions) for _, row in kept]
        self.num_target_tokens = [len(completions[0]) for _, completions in self._token_ids]

    def row(self, place: int) -> PromptedCompletions:
        """The tokens of a pair with its image."""
        prompt_ids, completions = self._token_ids[place]
        return PromptedCompletions(prompt_ids, completions, self._images.get(self._files[place]))

    def logps(self, places: list[int]) -> PairLogps:
        """Summed log-probabilities of both texts under the model as it is."""
        scored = completion_logps(self._loaded, [self.row(place) for place in places])
        return PairLogps(
            chosen_B=torch.stack([chosen.sum() for chosen, _ in scored]),
            rejected_B=torch.stack([rejected.sum() for _, rejected in scored]),
        )

    def set_reference(self, logps: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Remember the log-probabilities of the reference, in the order of the pairs."""
        self._reference = logps

    def loss(
        self, places: list[int], batch: GlobalBatch, *, is_first_step: bool
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Regularised DPO of a micro-batch."""
        assert self._reference is not None, "the reference is computed before the first step"
        policy = self.logps(places)
        device = policy.chosen_B.device
        reference = PairLogps(*(logps[places].to(device) for logps in self._reference))
        if is_first_step:
            self._require_equal(policy, reference)
        tokens = [self.num_target_tokens[place] for place in places]
        loss = preference_loss(
            policy,
            reference,
            num_chosen_tokens_B=torch.tensor(tokens, device=device),
            beta=self._loss.beta,
            chosen_nll_weight=self._loss.chosen_nll_weight,
            nll_reduction=self._loss.nll_reduction,
            batch=batch,
        )
        return loss, preference_metrics(policy, reference, beta=self._loss.beta)

    def _require_equal(self, policy: PairLogps, reference: PairLogps) -> None:
        """Before the first update the DPO part is log 2; anything else means a wrong reference."""
        ours = torch.cat([policy.chosen_B, policy.rejected_B]).detach()
        theirs = torch.cat([reference.chosen_B, reference.rejected_B])
        allowed = _TOLERANCE[self._dtype] * (1 + theirs.abs())
        if bool(((ours - theirs).abs() <= allowed).all()):
            return
        raise SticflowError(
            "TrainingInvariant",
            "Expected policy and reference to agree before the first step, but their "
            f"log-probabilities differ by up to {float((ours - theirs).abs().max()):.4g}. The "
            "cached reference is of another policy; remove the work folder and start again.",
        )

    def _tokens(self, pair: PreferencePair) -> PromptedCompletions:
        image = self._images.get(pair.images[0])
        completions: list[list[int]] = []
        prompt_ids: list[int] = []
        for answer in (pair.chosen, pair.rejected):
            ids, turns = self._loaded.chat.conversation_ids(
                [*pair.prompt, *answer], image.replacement
            )
            prompt_ids = ids[: turns[0].start]
            completions.append(ids[turns[0].start :])
        return PromptedCompletions(prompt_ids, completions, image)


def _reference_logps(
    request: TrainPreferenceRequest,
    loaded: LoadedModel,
    pairs: _Pairs,
    reporter: Reporter,
    lifeline: Lifeline,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities (number of pairs,) of chosen and rejected, from disk where they are known."""
    work_dir = Path(request.work_dir)
    tensors, facts = work_dir / "reference_logps.safetensors", work_dir / "reference_logps.json"
    fingerprint = _fingerprint(request, loaded)
    if facts.exists():
        before = read_json(facts)
        changed = sorted(name for name, value in fingerprint.items() if before.get(name) != value)
        if not changed:
            known = load_file(str(tensors))
            return known["chosen"], known["rejected"]
        reporter.notice("reference_discarded", f"made with another {', '.join(changed)}")
    loaded.model.eval()
    chosen: list[torch.Tensor] = []
    rejected: list[torch.Tensor] = []
    size = request.optimization.micro_batch_size
    total = len(pairs.example_ids)
    for start in range(0, total, size):
        lifeline.raise_if_stopped()
        with torch.no_grad():
            logps = pairs.logps(list(range(start, min(start + size, total))))
        chosen.append(logps.chosen_B.cpu())
        rejected.append(logps.rejected_B.cpu())
        reporter.progress("reference", min(start + size, total), total, "items")
    result = torch.cat(chosen), torch.cat(rejected)
    temporary = tensors.with_suffix(".tmp")
    save_file({"chosen": result[0], "rejected": result[1]}, str(temporary))
    temporary.rename(tensors)
    write_json(facts, fingerprint)
    return result


def _fingerprint(request: TrainPreferenceRequest, loaded: LoadedModel) -> dict[str, Any]:
    """Everything that the reference's log-probabilities depend on."""
    return {
        "base": request.model.sha256,
        "adapter": None if request.adapter is None else request.adapter.sha256,
        "template": loaded.chat.template_sha256,
        "image_backend": request.model.image_backend,
        "processor": sha256_of_json(loaded.processor.image_processor.to_dict()),
        "dtype": request.model.dtype,
        "num_threads": request.model.num_threads,
        "micro_batch_size": request.optimization.micro_batch_size,
        "pairs": sha256_of_file(Path(request.pairs_path)),
    }


def _require_frozen(peft: Any, loaded: LoadedModel, before: str) -> None:
    peft.unload()
    if sampled_sha256(loaded.model.named_parameters()) != before:
        raise SticflowError(
            "TrainingInvariant",
            "Expected the weights of the base to be as before the training, but they changed. The "
            "adapter is not published; please report this.",
        )


def _last(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: rows[-1][name] for name in ("loss", "rewards/accuracies") if rows}
