"""Requests and records for the tests, as a worker would send and write them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MODEL_SHA256 = "a" * 64
# Square, wide, high, tiny and thin: 1 and 3 pixels could be taken for channels.
SIZES = [
    (96, 96),
    (120, 40),
    (40, 120),
    (64, 48),
    (1, 1),
    (3, 3),
    (1, 3),
    (3, 1),
    (2, 50),
    (32, 32),
]
LORA = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": ["q_proj", "v_proj", "down_proj"]}
OPTIMIZATION = {
    "learning_rate": 1e-2, "num_epochs": 2, "global_batch_size": 2, "micro_batch_size": 1,
    "weight_decay": 0.0, "warmup_ratio": 0.0, "lr_scheduler": "cosine", "max_grad_norm": 1.0,
    "max_length": None, "gradient_checkpointing": False, "save_steps": 2, "seed": 7,
}  # fmt: skip
LOSS = {"beta": 0.1, "chosen_nll_weight": 1 / 1024, "nll_reduction": "sum"}


def write_pictures(folder: Path) -> Path:
    """Write one PNG of noise for each size."""
    noise = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIZES):
        pixels = noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def work_request(command: str, checkpoint: Path, work_dir: Path, **changes: Any) -> dict[str, Any]:
    """What every request that works in a folder carries."""
    return {
        "protocol_version": 1,
        "request_id": "r",
        "command": command,
        "work_dir": str(work_dir),
        "attempt": 1,
        "lock_timeout_seconds": 5,
        "model": {
            "path": str(checkpoint), "sha256": MODEL_SHA256, "dtype": "float32", "device": "cpu",
            "num_threads": 1, "image_backend": "pil",
        },
        "adapter": None,
        **changes,
    }  # fmt: skip


def generation_rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Requests for texts: three prompts an image, greedy and sampled."""
    prompts = [
        "Describe the image.",
        "What color is the triangle?",
        "How many objects? Count them.",
    ]
    return [
        {
            "request_id": f"row-{number}",
            "image": {"root": "images", "file": f"{number // 3 % len(SIZES)}.png"},
            "prompt": prompts[number % 3],
            "temperature": (0, 0.7, 1.0)[number % 3],
            "top_p": (None, None, 0.9)[number % 3],
            "max_new_tokens": 6 + 5 * (number % 4),
            "seed": 1000 + number,
            **changes,
        }
        for number in range(count)
    ]


def pair_rows(count: int) -> list[dict[str, Any]]:
    """Preference pairs of different lengths."""
    return [
        {
            "pair_id": f"pair-{number}",
            "images": [{"root": "images", "file": f"{number % len(SIZES)}.png"}],
            "prompt": [user_message("Describe the image.")],
            "chosen": [assistant_message(f"There are {number} objects.")],
            "rejected": [assistant_message("There is a red cross" + " and more" * (number % 3))],
            "provenance": {
                "image_id": "0" * 64, "source_name": f"{number}.png", "round": 1,
                "policy": {"model_sha256": MODEL_SHA256, "adapter_sha256": None},
                "prompt_id": "normal/0", "chosen_prompt_id": "good", "rejected_prompt_id": "bad/0",
                "rejection_source": "bad_prompt", "corruption": None, "corrupted_image": None,
                "run_seed": 0, "chosen_seed": 1, "rejected_seed": 2,
                "sampling": {"temperature": 0.2, "top_p": None, "max_new_tokens": 64},
                "chosen_finish_reason": "stop", "rejected_finish_reason": "stop",
            },
        }
        for number in range(count)
    ]  # fmt: skip


def example_rows(count: int) -> list[dict[str, Any]]:
    """Infused examples of two exchanges each."""
    return [
        {
            "example_id": f"example-{number}",
            "images": [{"root": "images", "file": f"{number % len(SIZES)}.png"}],
            "messages": [
                user_message("What color is the triangle?"),
                assistant_message("white."),
                user_message("How many objects?", image=False),
                assistant_message(str(number)),
            ],
            "provenance": {
                "image_id": "0" * 64, "round": 1,
                "policy": {"model_sha256": MODEL_SHA256, "adapter_sha256": None},
                "description": None, "description_prompt_id": None,
                "description_seed": None, "description_finish_reason": None,
            },
        }
        for number in range(count)
    ]  # fmt: skip


def user_message(text: str, *, image: bool = True) -> dict[str, Any]:
    """A user turn."""
    content = [{"type": "image"}] if image else []
    return {"role": "user", "content": [*content, {"type": "text", "text": text}]}


def assistant_message(text: str) -> dict[str, Any]:
    """An assistant turn."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def output_hashes(work_dir: Path) -> dict[str, str]:
    """Hashes of the result files, by name."""
    files = sorted((work_dir / "output").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSONL."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
