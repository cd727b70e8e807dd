"""`train_infused`: fine-tuning on instructions that carry the policy's own description.

STIC, arXiv:2405.19716, algorithm 2; all assistant turns are learnt (STIC 993734e, stage 2). The
adapter of the request is continued, unmerged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from sticflow_ml.adapter_output import write_adapter
from sticflow_ml.adapters import WarmPolicy, continue_adapter, fresh_adapter
from sticflow_ml.contract import InfusedExample, TrainInfusedRequest
from sticflow_ml.errors import SticflowError
from sticflow_ml.faults import Faults
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import read_records
from sticflow_ml.losses import GlobalBatch, answer_loss, token_logps
from sticflow_ml.model import LoadedModel
from sticflow_ml.protocol import Reporter
from sticflow_ml.shared_prefix import image_inputs
from sticflow_ml.trainer import Workplace, sampled_sha256, train
from sticflow_ml.training_examples import fitting, longest_allowed, require_language_model_only


def train_infused(
    request: TrainInfusedRequest, *, policy: WarmPolicy, reporter: Reporter, lifeline: Lifeline
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
    examples = _Examples(request, loaded)
    workplace = Workplace(work_dir, reporter, lifeline, Faults(work_dir))
    metrics = train(peft, examples, spec, name="train_infused", workplace=workplace)
    facts = {
        "stage": "infused_training",
        "num_examples": len(examples.example_ids),
        "dropped": examples.dropped,
        "num_steps": len(metrics.rows),
        "device": loaded.device.type,
    }
    write_adapter(work_dir / "output", peft, metrics, facts, base_sha256=request.model.sha256)
    peft.unload()
    if sampled_sha256(loaded.model.named_parameters()) != base_before:
        raise SticflowError(
            "TrainingInvariant",
            "Expected the weights of the base to be as before the training, but they changed. The "
            "adapter is not published; please report this.",
        )
    last = {"loss": metrics.rows[-1]["loss"]} if metrics.rows else {}
    reporter.result(
        len(examples.example_ids),
        {"num_steps": len(metrics.rows), "num_dropped": len(examples.dropped), **last},
    )


@dataclass(frozen=True)
class _Conversation:
    token_ids: list[int]
    targets: list[int]  # places whose token is learnt


class _Examples:
    """The conversations as an objective."""

    def __init__(self, request: TrainInfusedRequest, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._images = loaded.images(request.image_roots)
        records = read_records(Path(request.examples_path), InfusedExample, key="example_id")
        limit = longest_allowed(request.optimization.max_length, loaded)
        kept, self.dropped = fitting(
            ((record.example_id, record, self._tokens(record)) for record in records),
            limit=limit,
            length=lambda row: len(row.token_ids),
        )
        self.example_ids = [record.example_id for record, _ in kept]
        self._files = [record.images[0] for record, _ in kept]
        self._conversations = [row for _, row in kept]
        self.num_target_tokens = [len(row.targets) for row in self._conversations]

    def loss(
        self, places: list[int], batch: GlobalBatch, *, is_first_step: bool
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Cross-entropy over the answer tokens of a micro-batch."""
        del is_first_step
        rows = [self._conversations[place] for place in places]
        logps_T = torch.cat(self._target_logps(rows, places))
        return answer_loss(logps_T, batch=batch), {}

    def _target_logps(self, rows: list[_Conversation], places: list[int]) -> list[torch.Tensor]:
        loaded = self._loaded
        length = max(len(row.token_ids) for row in rows)
        ids_BT = torch.full((len(rows), length), loaded.chat.pad_token_id)
        mask_BT = torch.zeros_like(ids_BT)
        images = [self._images.get(self._files[place]) for place in places]
        positions: list[torch.Tensor] = []
        for index, (row, image) in enumerate(zip(rows, images, strict=True)):
            ids_BT[index, : len(row.token_ids)] = torch.tensor(row.token_ids)
            mask_BT[index, : len(row.token_ids)] = 1
            own_AT = loaded.positions(row.token_ids, image.inputs)
            padding = length - own_AT.shape[1]
            positions.append(torch.nn.functional.pad(own_AT, (0, padding)))
        positions_ABT = torch.stack(positions, dim=1).to(loaded.device)
        # Logits only where some row has an answer: the place before a target predicts it.
        kept = sorted({place - 1 for row in rows for place in row.targets})
        rank = {place: index for index, place in enumerate(kept)}
        logits_BKV = loaded.model(
            input_ids=ids_BT.to(loaded.device),
            attention_mask=mask_BT.to(loaded.device),
            position_ids=positions_ABT[0] if len(positions_ABT) == 1 else positions_ABT,
            use_cache=False,
            logits_to_keep=torch.tensor(kept, device=loaded.device),
            **image_inputs(loaded, images),
        ).logits
        return [
            token_logps(
                logits_BKV[index, [rank[place - 1] for place in row.targets]],
                ids_BT[index, row.targets].to(loaded.device),
            )
            for index, row in enumerate(rows)
        ]

    def _tokens(self, record: InfusedExample) -> _Conversation:
        image = self._images.get(record.images[0])
        ids, turns = self._loaded.chat.conversation_ids(record.messages, image.replacement)
        targets = [place for turn in turns for place in range(turn.start, turn.end)]
        return _Conversation(token_ids=ids, targets=targets)
