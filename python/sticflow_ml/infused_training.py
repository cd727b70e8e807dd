"""`train_infused`: fine-tuning on instructions that carry the policy's own description.

STIC, arXiv:2405.19716, algorithm 2; all assistant turns are learnt (STIC 993734e, stage 2). The
adapter of the request is continued, unmerged.
"""

from __future__ import annotations

from pathlib import Path

from sticflow_ml.contract import TrainInfusedRequest
from sticflow_ml.infused_examples import open_examples, read_examples
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.protocol import Reporter
from sticflow_ml.training import run_training
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.world import World


def train_infused(
    request: TrainInfusedRequest,
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
    examples = read_examples(Path(request.examples_path))
    run_training(
        request,
        data_path=request.examples_path,
        warm=warm,
        reporter=reporter,
        lifeline=lifeline,
        world=world,
        prepare=lambda training: open_examples(training, examples),
    )
