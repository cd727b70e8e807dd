"""A training step over conversations of different lengths, packed and padded; prints one line of JSON.

    PYTHONPATH=python:bench/python .venv/bin/python -m infused_step --shape cpu

One global batch, cut into micro-batches in drawn order (the peer), by length, and packed; forward and
backward pass, LoRA on all linear layers, images encoded before. Exits with 1 when losses differ.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from functools import partial
from importlib.metadata import version

import torch
from measure import Cost, device_name, fastest_ratio, measured, median_ratio, summary
from peft import LoraConfig, PeftModel, get_peft_model
from product import as_loaded
from random_models import SHAPES, build

from sticflow_ml.forward import score
from sticflow_ml.images import ProcessedImage
from sticflow_ml.losses import GlobalBatch, answer_loss
from sticflow_ml.memory import BLOCK
from sticflow_ml.model import LoadedModel
from sticflow_ml.objective import longest_first
from sticflow_ml.packing import pack
from sticflow_ml.shared_prefix import Row, lay_out

NUM_IMAGE_TOKENS = 576
# Sums of a softmax run in another order; float32.
TOLERANCE = 1e-5


def main() -> int:
    """Run the benchmark."""
    options = _options()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, processor = build(
        "llava", SHAPES[options.shape], device=device, dtype=getattr(torch, options.dtype)
    )
    loaded = as_loaded(model, processor)
    policy = get_peft_model(
        loaded.model,
        LoraConfig(r=8, target_modules=rf".*language_model.*({'|'.join(BLOCK)})"),  # pyright: ignore[reportArgumentType]
    )
    policy.train()
    examples = _examples(loaded, options)
    lengths = [row.num_row_tokens for row, _ in examples]
    drawn = list(range(len(examples)))
    sorted_ = longest_first(drawn, lengths, len(examples))
    orders = {"shuffled": (drawn, False), "by_length": (sorted_, False), "packed": (drawn, True)}
    costs: dict[str, list[Cost]] = {name: [] for name in orders}
    losses: dict[str, float] = {}
    for number in range(options.rounds + 1):
        for name, (order, is_packed) in sorted(orders.items(), reverse=number % 2 == 0):
            work = partial(_step, policy, loaded, examples, order, is_packed, options.micro_batch)
            losses[name], cost = measured(work, device=device)
            if number > 0:  # the first warms up
                costs[name].append(cost)
    difference = max(losses.values()) - min(losses.values())
    print(  # noqa: T201 - the output
        json.dumps(
            {
                "name": "infused-step",
                "peer": "rows padded to the longest of a micro-batch, in drawn order",
                "ratio": fastest_ratio(costs["shuffled"], costs["packed"]),
                "details": {
                    "ratio_median": median_ratio(costs["shuffled"], costs["packed"]),
                    "ratio_to_by_length": fastest_ratio(costs["by_length"], costs["packed"]),
                    "padding_share": {
                        name: round(_padding(lengths, order, options.micro_batch), 3)
                        for name, (order, is_packed) in orders.items()
                        if not is_packed
                    },
                    "tokens": [min(lengths), max(lengths)],
                    "loss": losses["packed"],
                    "loss_difference": difference,
                    "sides": {name: summary(of) for name, of in costs.items()},
                    **vars(options),
                    "device": device_name(device),
                    "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
                },
            }
        )
    )
    return 1 if options.dtype == "float32" and difference > TOLERANCE else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infused_step")
    parser.add_argument("--shape", choices=SHAPES, default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--micro-batch", type=int, default=4)
    parser.add_argument("--shortest", type=int, default=30, help="text tokens of a conversation")
    parser.add_argument("--longest", type=int, default=1000, help="text tokens of a conversation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _examples(
    loaded: LoadedModel, options: argparse.Namespace
) -> list[tuple[Row, ProcessedImage]]:
    """Conversations whose text lengths are drawn log-uniformly; a half of the text is learnt."""
    draw = random.Random(0)
    made: list[tuple[Row, ProcessedImage]] = []
    image_id = loaded.model.config.image_token_id
    hidden = loaded.model.config.get_text_config().hidden_size
    for _ in range(options.examples):
        length = round(options.shortest * (options.longest / options.shortest) ** draw.random())
        text = [draw.randrange(5, 200) for _ in range(length)]
        prompt = [image_id] * NUM_IMAGE_TOKENS + text[: length // 2]
        row = Row(prompt, [text[length // 2 :]], torch.arange(len(prompt)).unsqueeze(0))
        features_TD = torch.randn(NUM_IMAGE_TOKENS, hidden, dtype=loaded.model.dtype)
        image = ProcessedImage("", {}, features_TD.to(loaded.device))
        made.append((row, image))
    return made


def _step(
    policy: PeftModel,
    loaded: LoadedModel,
    examples: list[tuple[Row, ProcessedImage]],
    order: list[int],
    is_packed: bool,
    micro_batch: int,
) -> float:
    """Loss of the whole batch; its gradients are made and dropped."""
    num_targets = sum(len(row.completions[0]) for row, _ in examples)
    batch = GlobalBatch(num_examples=len(examples), num_target_tokens=num_targets)
    total = 0.0
    for start in range(0, len(order), micro_batch):
        rows, images = zip(
            *(examples[place] for place in order[start : start + micro_batch]), strict=True
        )
        pad = loaded.chat.pad_token_id
        tensors = pack(rows) if is_packed else lay_out(list(rows), pad_token_id=pad)
        tensors = tensors.to(loaded.device)
        logps = score(policy, loaded, tensors, list(images))
        loss = answer_loss(logps[tensors.completion_BN >= 0], batch=batch)
        loss.backward()
        total += float(loss.detach())
    policy.zero_grad()
    return total


def _padding(lengths: list[int], order: list[int], micro_batch: int) -> float:
    """Share of places that hold no token."""
    groups = [order[start : start + micro_batch] for start in range(0, len(order), micro_batch)]
    places = sum(max(lengths[place] for place in group) * len(group) for group in groups)
    return 1 - sum(lengths) / places


if __name__ == "__main__":
    sys.exit(main())
