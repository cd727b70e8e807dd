"""What both trainings do around the steps: find the state of the work folder, guard, write the result.

Result files in `<work_dir>/output`: adapter_model.safetensors, adapter_config.json, metrics.jsonl and
training.json; the folder appears when it is whole, and the same training writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import save_file

from sticflow_ml.activation_checkpointing import is_checkpointed
from sticflow_ml.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_weights
from sticflow_ml.contract import AssistantMessage, UserMessage
from sticflow_ml.errors import SticflowError
from sticflow_ml.faults import Faults
from sticflow_ml.images import Images
from sticflow_ml.invariants import (
    check_frozen,
    check_lora_placement,
    check_ranks_agree,
    frozen_fingerprint,
    trained_fingerprint,
)
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.model import LoadedModel
from sticflow_ml.objective import Objective, Workplace
from sticflow_ml.protocol import Reporter
from sticflow_ml.ranks import together
from sticflow_ml.sharding import shard_base, share_facts
from sticflow_ml.training_identity import TrainRequest, identity_of, policy_and_data
from sticflow_ml.training_metrics import TrainingMetrics
from sticflow_ml.training_steps import train
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.work_folder import (
    fill_directory,
    read_json,
    sha256_of_json,
    write_json,
)
from sticflow_ml.world import World

FACTS = "training.json"


@dataclass(frozen=True)
class Training:
    """One training request with everything that its parts need."""

    request: TrainRequest
    data_path: Path
    loaded: LoadedModel
    policy: PeftModel
    images: Images
    workplace: Workplace

    def fingerprint(self) -> dict[str, Any]:
        """What tokens and log-probabilities of the data depend on."""
        image_processor = self.loaded.processor.image_processor.to_dict()
        return {
            **policy_and_data(self.request, self.data_path),
            "template_sha256": self.loaded.chat.template_sha256,
            "image_processor_sha256": sha256_of_json(json.dumps(image_processor, default=str)),
            "device": self.loaded.device.type,
            "max_length": self.max_length,
        }

    @property
    def max_length(self) -> int:
        """Longest example in tokens, image tokens included: the request's limit or the model's."""
        own = self.loaded.model.config.get_text_config(decoder=True).max_position_embeddings
        limit = self.request.optimization.max_length
        return own if limit is None else min(own, limit)


Prepare = Callable[[Training], tuple[Objective, dict[str, Any]]]


def run_training(
    request: TrainRequest,
    *,
    data_path: str,
    warm: WarmPolicy,
    reporter: Reporter,
    lifeline: Lifeline,
    prepare: Prepare,
    world: World | None = None,
) -> None:
    """Train, unless the work folder holds the finished result, and report.

    Args:
        request: What to do.
        data_path: File with the examples.
        warm: Gives the policy; the model is dropped afterwards, trained or not.
        reporter: For messages.
        lifeline: Asked at step borders whether to stop.
        prepare: Returns examples and loss, and the facts that only this kind of training knows.
        world: Of a rank that was started for this request; None = start those that it asks for.
    """
    work_dir = Path(request.work_dir)
    output = work_dir / "output"
    identity = identity_of(request, Path(data_path))
    if not _is_finished(output, identity):
        _require_range(request)
        try:
            with together(request, reporter, world) as ranks:
                workplace = Workplace(
                    work_dir,
                    reporter,
                    lifeline,
                    Faults(work_dir, rank=ranks.rank),
                    ranks,
                    is_sharded=request.optimization.parallelism == "sharded" and ranks.size > 1,
                )
                training = _open(request, Path(data_path), warm, workplace)
                metrics, facts = _train(training, identity, prepare)
            if not ranks.is_first:
                return
            reporter.progress("saving", 0, 1, "items")
            fill_directory(output, lambda folder: _fill(folder, training, metrics, facts))
            reporter.progress("saving", 1, 1, "items")
        finally:
            warm.drop()
    _report(read_json(output / FACTS), reporter)


def _open(
    request: TrainRequest, data_path: Path, warm: WarmPolicy, workplace: Workplace
) -> Training:
    loaded, policy = warm.for_training(
        request.model,
        request.adapter,
        lora=request.lora,
        seed=request.optimization.seed,
        reporter=workplace.reporter,
        is_full=request.finetuning == "full",
        on_host=workplace.is_sharded,
    )
    if workplace.is_sharded:
        shard_base(loaded, policy, workplace.world)
    return Training(
        request=request,
        data_path=data_path,
        loaded=loaded,
        policy=policy,
        images=loaded.images(request.image_roots),
        workplace=workplace,
    )


def require_one_image(example_id: str, messages: Sequence[UserMessage | AssistantMessage]) -> None:
    """Refuse an example whose first user turn does not hold exactly one image.

    Raises:
        SticflowError: `DataInvalid` with the id.
    """
    counts = [sum(part.type == "image" for part in message.content) for message in messages]
    if counts[0] != 1 or sum(counts) != 1:
        raise SticflowError(
            "DataInvalid",
            f"Expected one image in the first user turn of `{example_id}` and none after it, got "
            f"{counts} images by turn.",
            example_id=example_id,
        )


def _require_range(request: TrainRequest) -> None:
    """Refuse float16: small gradients become 0 in it, and DPO's are small (LLM-Dojo issue 23).

    The base itself, where it is trained, asks for more: its steps are smaller than bfloat16's last bit.
    """
    if request.finetuning == "full" and (
        request.model.dtype != "float32" or request.model.quantization is not None
    ):
        raise SticflowError(
            "ConfigInvalid",
            "Expected model.dtype float32 without quantization to train the language model itself, got "
            f"{request.model.quantization or request.model.dtype}. Set finetuning to lora, or model.dtype.",
        )
    if request.model.dtype != "float16":
        return
    raise SticflowError(
        "ConfigInvalid",
        "Expected model.dtype bfloat16 or float32 for a training, got float16: its gradients "
        "vanish or overflow. Set model.dtype to bfloat16, or to float32 where that is missing.",
    )


def _train(
    training: Training, identity: dict[str, Any], prepare: Prepare
) -> tuple[TrainingMetrics, dict[str, Any]]:
    """Train between the alarms; nothing is written when one of them fires."""
    check_lora_placement(training.loaded, training.policy)
    frozen = frozen_fingerprint(training.policy)
    objective, facts = prepare(training)
    wanted = training.request.optimization
    recomputes = is_checkpointed(
        wanted,
        training.request.lora,
        training.loaded,
        objective,
        is_full=training.request.finetuning == "full",
    )
    metrics, deviations = train(
        training.policy,
        objective,
        wanted.model_copy(update={"gradient_checkpointing": recomputes}),
        name=training.request.command,
        workplace=training.workplace,
        identity=identity,
    )
    check_frozen(frozen, training.policy)
    check_ranks_agree(training.workplace.world.gather(trained_fingerprint(training.policy)))
    device = training.loaded.device.type
    attention = training.loaded.attention_seen
    world_size = training.workplace.world.size
    return metrics, {
        **identity,
        **facts,
        **({} if world_size == 1 else {"world_size": world_size}),
        **(share_facts(training.policy) if training.workplace.is_sharded else {}),
        **({"recomputes": recomputes} if wanted.gradient_checkpointing == "auto" else {}),
        "num_steps": len(metrics.rows),
        "deviations": deviations,
        "last_metrics": metrics.rows[-1] if training.workplace.world.is_first else {},
        **({"attention": sorted(attention)} if attention else {}),
        "template_sha256": training.loaded.chat.template_sha256,
        "architecture": type(training.loaded.model).__name__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "versions": {
            name: version(name)
            for name in ("torch", "transformers", "peft", "accelerate", *_packing(training))
        },
    }


def _packing(training: Training) -> tuple[str, ...]:
    return () if training.request.model.quantization is None else ("bitsandbytes",)


def _is_finished(output: Path, identity: dict[str, Any]) -> bool:
    if not (output / FACTS).exists():
        return False
    facts = read_json(output / FACTS)
    return all(facts.get(name) == value for name, value in identity.items())


def _fill(
    folder: Path, training: Training, metrics: TrainingMetrics, facts: dict[str, Any]
) -> None:
    weights = adapter_weights(training.policy)
    save_file(weights, str(folder / ADAPTER_WEIGHTS), metadata={"format": "pt"})
    training.workplace.faults.reach(f"{training.request.command}.output_half")
    # It names the base by its sha256 (adapters.py), never by a path of this machine.
    config = {**training.policy.peft_config["default"].to_dict(), "inference_mode": True}
    text = json.dumps(config, indent=2, sort_keys=True, default=sorted)
    (folder / ADAPTER_CONFIG).write_text(text + "\n", encoding="utf-8")
    (folder / "metrics.jsonl").write_text(metrics.text(), encoding="utf-8")
    num_weights = sum(weight.numel() for weight in weights.values())
    write_json(folder / FACTS, {**facts, "num_trained_weights": num_weights})


def _report(facts: dict[str, Any], reporter: Reporter) -> None:
    last = facts["last_metrics"]
    reporter.result(
        facts["num_examples"],
        {
            "num_steps": facts["num_steps"],
            "num_dropped_over_length": len(facts["dropped_over_length"]),
            "num_deviations": len(facts["deviations"]),
            **{name: facts[name] for name in ("forward", "packed") if name in facts},
            **{name: last[name] for name in ("loss", "rewards/accuracies") if name in last},
        },
    )
