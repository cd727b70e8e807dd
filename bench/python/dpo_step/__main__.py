"""Time, memory and exactness of one DPO step beside TRL's DPOTrainer; prints one line of JSON.

    PYTHONPATH=python:bench/python .venv-trl/bin/python -m dpo_step --family llava --shape cpu

Every round takes fresh pairs through TRL with and without gradient checkpointing and through each
variant of ours, in turn. A step is: pictures and texts to tensors, reference, forward, backward,
AdamW. The learning rate is 0, so that every step of everyone is at the same weights and comparable.
Exits with 1 when float32 losses, log-probabilities or gradients differ from TRL's.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from measure import Cost, cpu_seconds, device_name, fastest_ratio, measured, median_ratio, summary
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from product import as_loaded
from random_models import SHAPES, build

from dpo_step.data import make_rows
from dpo_step.ours import VARIANTS, OurStep, as_pair
from dpo_step.trl_peer import TrlStep

BETA, CHOSEN_NLL_WEIGHT = 0.1, 0.5
IMAGE_SIZES = {"llava": (448, 336), "llava_next": (640, 480)}
# Differences from TRL that rounding explains in float32; loss and gradient are relative. The sums of
# log-probabilities lie near 2,000, where neighbouring float32 numbers are 1e-4 apart.
LOSS_TOLERANCE, LOGP_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-3, 1e-4

Batch = tuple[list[dict[str, Any]], list[Any]]


def main() -> int:
    """Run the benchmark."""
    options = _options()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory(prefix="dpo-step-") as folder:
        batches = _batches(options, Path(folder))
        steps = _steps(options, device, batches, Path(folder))
        costs, worst = _measure(steps, batches, device)
    within = {
        "loss": worst["loss"] <= LOSS_TOLERANCE,
        "logps": worst["logps"] <= LOGP_TOLERANCE,
        "gradient": worst["gradient"] <= GRADIENT_TOLERANCE,
    }
    print(json.dumps(_report(options, device, costs, worst)))  # noqa: T201 - the one line of output
    return 1 if options.dtype == "float32" and not all(within.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dpo_step")
    parser.add_argument("--family", choices=IMAGE_SIZES, default="llava")
    parser.add_argument("--shape", choices=SHAPES, default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--pairs", type=int, default=2, help="pairs of one step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rank", type=int, default=16, help="of LoRA, on all linear layers")
    parser.add_argument("--chosen-words", type=int, default=190)
    parser.add_argument("--rejected-words", type=int, default=170)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _batches(options: argparse.Namespace, folder: Path) -> list[Batch]:
    """One batch a round, and one before them to warm up; pictures are in memory and in `folder`."""
    rows = make_rows(
        options.pairs * (options.rounds + 1),
        seed=0,
        image_size=IMAGE_SIZES[options.family],
        chosen_words=options.chosen_words,
        rejected_words=options.rejected_words,
    )
    for number, row in enumerate(rows):
        row["images"][0].save(folder / f"{number}.png")
    pairs = [as_pair(number, row) for number, row in enumerate(rows)]
    starts = range(0, len(rows), options.pairs)
    return [
        (rows[start : start + options.pairs], pairs[start : start + options.pairs])
        for start in starts
    ]


class _Step:
    """One contestant: how it prepares and computes the loss of a batch, and its policy."""

    def __init__(
        self,
        contestant: TrlStep | OurStep,
        loss: Callable[[Batch], torch.Tensor],
        prepare: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        self.loss = loss
        self.prepare = prepare
        self.logps = contestant.logps
        self.policy = contestant.policy
        self.trained = [one for one in self.policy.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(self.trained, lr=0.0, weight_decay=0.0)

    def run(self, batch: Batch) -> float:
        """Everything that one optimizer step does."""
        loss = self.loss(batch)
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())

    def gradients(self) -> dict[str, torch.Tensor]:
        """LoRA gradients by PEFT's names; the step has left them in place."""
        return {
            name: parameter.grad.float().cpu()
            for name, parameter in self.policy.named_parameters()
            if parameter.grad is not None
        }


def _steps(
    options: argparse.Namespace, device: str, batches: list[Batch], folder: Path
) -> dict[str, _Step]:
    dtype = getattr(torch, options.dtype)
    make = partial(build, options.family, SHAPES[options.shape], device=device, dtype=dtype)
    decoder = r"model\.language_model\..*\.(q|k|v|o|gate|up|down)_proj"
    # Not the usual zeros: policy and reference differ, or the DPO term would be log 2 for anyone.
    lora = LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank,
        target_modules=decoder,
        init_lora_weights=False,
    )
    first_rows, first_pairs = batches[0]
    trl = {
        name: TrlStep(
            *make(),
            first_rows,
            lora=lora,
            beta=BETA,
            chosen_nll_weight=CHOSEN_NLL_WEIGHT,
            gradient_checkpointing=name == "trl_default",
        )
        for name in ("trl_default", "trl_tuned")
    }
    loaded = as_loaded(*make())
    policy = get_peft_model(loaded.model, lora)
    weights = get_peft_model_state_dict(trl["trl_tuned"].policy, save_embedding_layers=False)
    for one in (trl["trl_default"].policy, policy):
        set_peft_model_state_dict(one, weights)
    policy.train()
    steps = {
        name: _Step(one, lambda batch, one=one: one.loss(batch[0])) for name, one in trl.items()
    }
    for name, savings in VARIANTS.items():
        step = OurStep(
            loaded,
            policy,
            folder,
            first_pairs[0],
            savings=savings,
            beta=BETA,
            chosen_nll_weight=CHOSEN_NLL_WEIGHT,
        )
        steps[name] = _Step(
            step,
            loss=lambda batch, step=step: step.loss(batch[1]),
            prepare=lambda batch, step=step: step.prepare(batch[1]),
        )
    return steps


def _measure(
    steps: dict[str, _Step], batches: list[Batch], device: str
) -> tuple[dict[str, list[Cost]], dict[str, float]]:
    costs: dict[str, list[Cost]] = {name: [] for name in steps}
    worst = {"loss": 0.0, "logps": 0.0, "gradient": 0.0}
    for number, batch in enumerate(batches):
        peer: tuple[float, dict[str, float], dict[str, torch.Tensor]] | None = None
        # A slow moment of the machine is to hit no one's place more often than another's.
        names = list(steps)
        random.Random(number).shuffle(names)
        for name in ["trl_tuned", *(name for name in names if name != "trl_tuned")]:
            step = steps[name]
            step.prepare(batch)
            loss, cost = measured(partial(step.run, batch), device=device)
            facts = loss, step.logps(), step.gradients()
            peer = facts if peer is None else peer
            _note_worst(worst, peer, facts)
            step.policy.zero_grad()
            if number > 0:  # the first round warms up
                costs[name].append(cost)
    return costs, worst


def _note_worst(worst: dict[str, float], peer: Any, ours: Any) -> None:
    """Keep the largest differences; relative to TRL's loss, and to the largest entry of its gradient."""
    largest = max(float(one.abs().max()) for one in peer[2].values())
    if peer[2].keys() != ours[2].keys():
        raise RuntimeError("Expected gradients for the same LoRA weights in TRL and ours.")
    differences = {
        "loss": abs(peer[0] - ours[0]) / abs(peer[0]),
        "logps": max(abs(peer[1][name] - ours[1][name]) for name in peer[1]),
        "gradient": max(float((peer[2][name] - ours[2][name]).abs().max()) for name in peer[2])
        / largest,
    }
    for name, difference in differences.items():
        worst[name] = max(worst[name], difference)


def _report(
    options: argparse.Namespace, device: str, costs: dict[str, list[Cost]], worst: dict[str, float]
) -> dict[str, Any]:
    peak = {name: max(cost.peak_bytes for cost in of) for name, of in costs.items()}
    return {
        "name": "dpo-step",
        "peer": f"trl {version('trl')}, its fastest setting",
        "ratio": fastest_ratio(_faster(costs), costs["shared_prefix"]),
        "details": {
            "ratio_cached_reference": fastest_ratio(_faster(costs), costs["cached_reference"]),
            "ratio_to_trl_default": fastest_ratio(costs["trl_default"], costs["shared_prefix"]),
            "ratio_median": median_ratio(_faster(costs), costs["shared_prefix"]),
            "ratio_median_cached_reference": median_ratio(
                _faster(costs), costs["cached_reference"]
            ),
            "ratio_cpu_time": median_ratio(_faster(costs), costs["shared_prefix"], cpu_seconds),
            "ratio_cpu_time_cached_reference": median_ratio(
                _faster(costs), costs["cached_reference"], cpu_seconds
            ),
            "memory_ratio": round(peak["trl_tuned"] / max(1, peak["shared_prefix"]), 3),
            "memory_ratio_to_trl_default": round(
                peak["trl_default"] / max(1, peak["shared_prefix"]), 3
            ),
            "steps": {name: summary(of) for name, of in costs.items()},
            "largest_difference_from_trl": worst,
            **vars(options),
            "device": device_name(device),
            "versions": {name: version(name) for name in ("torch", "transformers", "peft", "trl")},
        },
    }


def _faster(costs: dict[str, list[Cost]]) -> list[Cost]:
    return min(
        (costs["trl_default"], costs["trl_tuned"]), key=lambda of: min(one.seconds for one in of)
    )


if __name__ == "__main__":
    sys.exit(main())
