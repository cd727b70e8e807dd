"""Ask TRL for the facts that `tests/python/test_trl_parity.py` holds ours against.

    PYTHONPATH=python:bench/python:tests/python .venv-trl/bin/python -m dpo_step.oracle \
        > tests/python/oracles/trl_dpo.json

On the tests' tiny LLaVA-NeXT (anyres: pictures of different token counts), in float32 on the CPU.
TRL's collator, forward passes and loss are used as they are. Weights are stored by their seeds,
gradients by their norms and a projection on a seeded direction.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from parity_case import (
    BETA,
    CHOSEN_NLL_WEIGHT,
    FAMILY,
    LORA_SETTINGS,
    NUM_PAIRS,
    gradient_facts,
    set_adapter,
)
from peft import LoraConfig
from PIL import Image
from tiny_models import build
from tiny_requests import pair_rows, write_pictures
from transformers import AutoModelForImageTextToText, AutoProcessor

from dpo_step.trl_peer import TrlStep


def main() -> None:
    """Print the facts as JSON."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        facts = _facts(Path(folder))
    json.dump(facts, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def _facts(folder: Path) -> dict[str, Any]:
    checkpoint = build(FAMILY, folder / "model")
    (folder / "pictures").mkdir()
    pictures = write_pictures(folder / "pictures")
    rows = [
        {
            "images": [Image.open(pictures / row["images"][0]["file"]).convert("RGB")],
            **{side: row[side] for side in ("prompt", "chosen", "rejected")},
        }
        for row in pair_rows(NUM_PAIRS)
    ]
    step = TrlStep(
        AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32),
        AutoProcessor.from_pretrained(checkpoint, backend="pil"),
        rows,
        lora=LoraConfig(
            r=LORA_SETTINGS["r"],
            lora_alpha=LORA_SETTINGS["alpha"],
            target_modules=rf".*language_model\..*\.({'|'.join(LORA_SETTINGS['target_modules'])})",
        ),
        beta=BETA,
        chosen_nll_weight=CHOSEN_NLL_WEIGHT,
        gradient_checkpointing=False,
    )
    set_adapter(step.policy)
    loss = step.loss(rows)
    loss.backward()
    return {
        "made_by": "python -m dpo_step.oracle",
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "trl")},
        "loss": float(loss.detach()),
        **step.logps(),
        "gradients": gradient_facts(step.policy),
    }


if __name__ == "__main__":
    main()
