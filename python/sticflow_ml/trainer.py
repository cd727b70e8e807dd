"""What both trainings share: transformers' Trainer with an exact order, atomic checkpoints and guards.

Order of examples, dropout and loss are functions of (seed, place in the order) alone, so a run that
was killed any number of times ends with the same bytes on the CPU. Several ranks add their gradients
up once a step (docs/decisions/0007-ranks-share-no-backward-pass.md).
"""

# The annotations of transformers and peft are wider or narrower than what they take and return.
# pyright: reportArgumentType=false, reportIncompatibleMethodOverride=false
from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer

from sticflow_ml.adapters import adapter_weights
from sticflow_ml.checkpoints import (
    load_optimizer,
    save_optimizer,
    write_checkpoint,
)
from sticflow_ml.contract import OptimizationSpec
from sticflow_ml.invariants import require_finite, require_gradient
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.micro_batches import MicroBatches, Places
from sticflow_ml.objective import Objective, Workplace
from sticflow_ml.trainer_inputs import (
    OrderedPlaces,
    collate_places,
    trainer_arguments,
    turns_of,
)
from sticflow_ml.training_metrics import TrainingMetrics
from sticflow_ml.work_folder import write_json

STATE_FILE = "trainer_state.json"  # the name under which Trainer looks for it
ADAPTER_FILE = "adapter.safetensors"
DEVIATIONS_FILE = "deviations.json"


class StageTrainer(Trainer):
    """Trainer of one stage; `train` of training_steps.py makes it and lets it run."""

    def __init__(
        self,
        peft: PeftModel,
        objective: Objective,
        order: list[int],
        spec: OptimizationSpec,
        *,
        name: str,
        workplace: Workplace,
        metrics: TrainingMetrics,
        identity: dict[str, Any],
    ) -> None:
        world = workplace.world
        arguments = trainer_arguments(
            spec, workplace.checkpoints, len(order), device=peft.device.type, world=world
        )
        super().__init__(
            model=peft,
            args=arguments,
            train_dataset=OrderedPlaces(order, turns_of(world, len(order), spec)),
            data_collator=collate_places,
        )
        self.remove_callback(PrinterCallback)
        # The objective divides by the global batch itself.
        self.model_accepts_loss_kwargs = True
        self._objective = objective
        self._order = order
        self._spec = spec
        self._name = name
        self._workplace = workplace
        self._metrics = metrics
        self._identity = identity
        self._sums: Counter[str] = Counter()
        self._step_examples: list[str] = []
        self.micro_batches = MicroBatches(
            spec.micro_batch_size,
            objective=objective,
            reporter=workplace.reporter,
            is_sharded=workplace.is_sharded,
        )
        self.is_stopped = False
        self._is_dry_step_done = False
        self._step_so_far: list[Places] = []
        self._loss_so_far: float | torch.Tensor = 0.0

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> SequentialSampler:
        return SequentialSampler(self.train_dataset if train_dataset is None else train_dataset)

    def get_batch_samples(self, epoch_iterator, num_batches, device):  # noqa: ANN001, ANN201 - Trainer's
        """Collect the micro-batches of one step and count what the whole step is over."""
        samples, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        size = self._spec.global_batch_size
        places = self._order[self.state.global_step * size :][:size]
        self._sums = Counter()
        self._step_so_far, self._loss_so_far = [], 0.0
        self._step_examples = [self._objective.example_ids[place] for place in places]
        tokens = sum(self._objective.num_target_tokens[place] for place in places)
        return samples, GlobalBatch(num_examples=len(places), num_target_tokens=tokens)

    def training_step(self, model, inputs, num_items_in_batch=None):  # noqa: ANN001, ANN201 - Trainer's
        """Forward and backward of one micro-batch; in smaller pieces when memory does not suffice.

        A pass that failed may have left gradients of some layers behind. So the gradients of this
        optimizer step are forgotten and its micro-batches are done anew, from the first.

        Returns:
            The share of `inputs` in the loss of the step.
        """
        if len(inputs["place"]) == 0 and not self._workplace.is_sharded:
            # The other ranks have what is left of the last step.
            return torch.zeros((), device=self.args.device)
        self._step_so_far.append(inputs)
        todo = [inputs]
        while True:
            try:
                if not self._is_dry_step_done:
                    self._dry_step(model)
                loss = sum(
                    self._piece(model, piece, num_items_in_batch)
                    for micro_batch in todo
                    for piece in self._pieces(micro_batch)
                )
                break
            except torch.OutOfMemoryError as error:
                message = str(error)
            # Out here the traceback is gone, and with it what holds the tensors of the failed pass.
            self.micro_batches.halve(message, step=self.state.global_step + 1)
            model.zero_grad()
            torch.cuda.empty_cache()
            todo = self._step_so_far
            self._sums = Counter()
        if len(todo) > 1:
            loss = loss - self._loss_so_far  # Trainer has added that up already
        self._loss_so_far = self._loss_so_far + loss
        return loss

    def _pieces(self, micro_batch: Places) -> list[Places]:
        pieces = self.micro_batches.cut(micro_batch) if len(micro_batch["place"]) > 0 else []
        if self._workplace.is_sharded:
            # Every rank runs as many passes, also where the last step has less for it to do.
            missing = self.micro_batches.num_pieces - len(pieces)
            pieces += [collate_places([])] * missing
        return pieces

    def _piece(self, model: Any, piece: Places, batch: GlobalBatch) -> torch.Tensor:
        loss = super().training_step(model, piece, batch)
        self._workplace.faults.reach(f"{self._name}.memory")
        return loss

    def _dry_step(self, model: Any) -> None:
        """Run the longest examples forth and back for nothing: memory fails now, not after hours."""
        places = self.micro_batches.longest()
        tokens = sum(self._objective.num_target_tokens[place] for place in places)
        model.train()
        with self.compute_loss_context_manager():
            loss, _ = self._objective.loss(model, places, GlobalBatch(len(places), tokens))
        self.accelerator.backward(loss)
        self._workplace.faults.reach(f"{self._name}.memory")
        model.zero_grad()
        self._is_dry_step_done = True

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # noqa: ANN001, ANN201 - Trainer's
        """Share of the micro-batch in the step's loss; dropout is drawn from its place alone."""
        places = inputs["place"].tolist()
        if not places:
            return 0 * self._objective.loss(model, [0], num_items_in_batch)[0]
        torch.manual_seed((self._spec.seed + 1_000_003 * int(inputs["turn"][0])) % 2**63)
        self._workplace.faults.reach(f"{self._name}.step")
        loss, sums = self._objective.loss(model, places, num_items_in_batch)
        ids = [self._objective.example_ids[place] for place in places]
        self._require_finite(float(loss.detach()), "loss", ids)
        self._sums.update(sums)
        self._workplace.reporter.progress(
            "training", self.state.global_step, self.state.max_steps, "steps"
        )
        return loss

    def _clip_grad_norm(self, model):  # noqa: ANN001, ANN202 - Trainer's
        """Add up what the ranks found, once a step and outside of every backward pass."""
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        self._workplace.world.sum_gradients(trained)
        return super()._clip_grad_norm(model)

    def _get_grad_norm(self, model, grad_norm=None):  # noqa: ANN001, ANN202 - Trainer's
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if norm is not None:
            self._require_finite(float(norm), "norm of the gradient", self._step_examples)
            require_gradient(
                float(norm), step=self.state.global_step + 1, example_ids=self._step_examples
            )
        return norm

    def _require_finite(self, value: float, what: str, example_ids: list[str]) -> None:
        step = self.state.global_step + 1
        require_finite(value, what, step=step, command=self._name, example_ids=example_ids)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write one line of metrics; the summary that Trainer logs at the end has wall times."""
        if "loss" not in logs:
            return
        step = self.state.global_step
        values = {name: float(value) for name, value in logs.items()}
        values["loss"], means = self._over_all_ranks(values["loss"])
        # To the library all passes are one, because they are in the order.
        values["epoch"] = (self.state.epoch or 0.0) * self._spec.num_epochs
        if self._workplace.world.is_first:
            self._metrics.append(step, {**values, **means})
        self._workplace.faults.reach(f"{self._name}.logged")
        self._workplace.reporter.progress("training", step, self.state.max_steps, "steps")
        if self.is_stopped:
            self.control.should_save = True
            self.control.should_training_stop = True

    def _over_all_ranks(self, loss: float) -> tuple[float, dict[str, float]]:
        """Loss and means of metrics of the whole step; here all ranks also agree on how to go on."""
        shares = self._workplace.world.gather(
            {
                "loss": loss,
                "sums": self._sums,
                "stop": self._workplace.lifeline.stop_requested,
                "deviations": self.micro_batches.deviations,
            }
        )
        totals: Counter[str] = Counter()
        for share in shares:
            totals.update(share["sums"])
            self.micro_batches.follow(share["deviations"])
        self.is_stopped = any(share["stop"] for share in shares)
        num_examples = len(self._step_examples)
        means = {name: total / num_examples for name, total in totals.items()}
        return math.fsum(share["loss"] for share in shares), means

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: places have no tokens."""
        del inputs
        return 0

    def _save_checkpoint(self, model, trial) -> None:  # noqa: ANN001 - Trainer's
        if not self._workplace.world.is_first:
            return
        step = self.state.global_step
        self._workplace.reporter.progress("saving", 0, 1, "items")
        self._workplace.faults.reach(f"{self._name}.save")

        def fill(folder: Path) -> None:
            save_file(adapter_weights(self.model), str(folder / ADAPTER_FILE))
            self._workplace.faults.reach(f"{self._name}.save_half")
            save_optimizer(self.optimizer, self.lr_scheduler, folder)
            write_json(folder / DEVIATIONS_FILE, self.micro_batches.deviations)
            # Metrics have a file of their own; here they would grow with every checkpoint.
            self.state.log_history = []
            self.state.save_to_json(str(folder / STATE_FILE))
            self._workplace.faults.reach(f"{self._name}.save_filled")

        self._metrics.sync()
        write_checkpoint(self._workplace.checkpoints, step, fill, identity=self._identity)
        self._workplace.faults.reach(f"{self._name}.saved")
        self._workplace.reporter.checkpoint(step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        weights = load_file(str(Path(resume_from_checkpoint) / ADAPTER_FILE))
        outcome = set_peft_model_state_dict(self.model, weights)
        assert not outcome.unexpected_keys, "a checkpoint is of this adapter"
        deviations = Path(resume_from_checkpoint) / DEVIATIONS_FILE
        self.micro_batches.deviations = json.loads(deviations.read_text(encoding="utf-8"))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_optimizer(self.optimizer, self.lr_scheduler, Path(checkpoint))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Nothing to load: each micro-batch draws from its own seed."""
