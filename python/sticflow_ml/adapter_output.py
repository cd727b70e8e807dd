"""The result of a training: adapter, metrics and facts, in a folder that appears when it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from sticflow_ml.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from sticflow_ml.training_metrics import TrainingMetrics
from sticflow_ml.work_folder import fill_directory, write_json


def write_adapter(
    output: Path,
    peft: PeftModel,
    metrics: TrainingMetrics,
    facts: dict[str, Any],
    *,
    base_sha256: str,
) -> None:
    """Write adapter_model.safetensors, adapter_config.json, metrics.jsonl and training.json."""

    def fill(folder: Path) -> None:
        weights = get_peft_model_state_dict(peft)
        tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        save_file(tensors, str(folder / ADAPTER_WEIGHTS), metadata={"format": "pt"})
        config = {
            **peft.peft_config["default"].to_dict(),
            "inference_mode": True,
            # PEFT puts the folder of this machine here; what counts is which weights it is for.
            "base_model_name_or_path": base_sha256,
        }
        text = json.dumps(config, indent=2, sort_keys=True, default=_plain)
        (folder / ADAPTER_CONFIG).write_text(text + "\n", encoding="utf-8")
        (folder / "metrics.jsonl").write_text(metrics.text(), encoding="utf-8")
        write_json(folder / "training.json", facts)

    fill_directory(output, fill)


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
