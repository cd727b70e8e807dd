"""The steps of a training, from the newest checkpoint that verifies to the end."""

from __future__ import annotations

from typing import Any

from peft import PeftModel

from sticflow_ml.checkpoints import checkpoint_path, newest_checkpoint
from sticflow_ml.contract import OptimizationSpec
from sticflow_ml.errors import Stopped
from sticflow_ml.objective import Objective, Workplace, training_order
from sticflow_ml.trainer import StageTrainer
from sticflow_ml.training_metrics import TrainingMetrics


def train(
    peft: PeftModel,
    objective: Objective,
    spec: OptimizationSpec,
    *,
    name: str,
    workplace: Workplace,
    identity: dict[str, Any],
) -> tuple[TrainingMetrics, list[dict[str, Any]]]:
    """Train the adapter to the end, from the newest checkpoint that verifies.

    Args:
        peft: Base with the adapter to train; its base stays as it is.
        objective: Examples and loss.
        spec: Knobs of the optimizer.
        name: Of the stage, for fault points.
        workplace: Work folder, messages and lifeline.
        identity: What the training depends on; checkpoints of another one are not used.

    Returns:
        The metrics, and the deviations from what was asked for (micro_batches.py).

    Raises:
        SticflowError: `NonFiniteLoss`, `OutOfMemory`, `DiskFull`.
        Stopped: SIGTERM came; a checkpoint of the last step is on disk.
    """
    order = training_order(objective, spec)
    metrics = TrainingMetrics(workplace.work_dir / "metrics.partial.jsonl", workplace.reporter)
    step = _resumed_step(workplace, identity)
    if workplace.world.is_first:
        metrics.cut_back(step or 0)
    trainer = StageTrainer(
        peft,
        objective,
        order,
        spec,
        name=name,
        workplace=workplace,
        metrics=metrics,
        identity=identity,
    )
    checkpoint = None if step is None else str(checkpoint_path(workplace.checkpoints, step))
    trainer.train(resume_from_checkpoint=checkpoint)
    if trainer.is_stopped and trainer.state.global_step < trainer.state.max_steps:
        raise Stopped
    return metrics, trainer.micro_batches.deviations


def _resumed_step(workplace: Workplace, identity: dict[str, Any]) -> int | None:
    """Step of the newest checkpoint that verifies; rank 0 looks, all ranks go on from it."""
    found = None
    if workplace.world.is_first:
        found = newest_checkpoint(workplace.checkpoints, identity, workplace.reporter)
    step = workplace.world.from_first(found)
    if step is not None:
        workplace.reporter.notice("resumed", f"from the checkpoint of step {step}")
    return step
