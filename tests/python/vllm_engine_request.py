"""The engine `vllm` as a worker asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from endpoint import CLIENT
from tiny_requests import work_request

from sticflow_ml.contract import ModelSpec


def engine_for(environment: Path, **changes: Any) -> dict[str, Any]:
    """Knobs of the engine, its program in `environment`."""
    return {
        "name": "vllm", "environment": str(environment), "max_lora_rank": 4,
        "tensor_parallel_size": 1, "gpu_memory_utilization": 0.9, "max_model_len": None,
        "batch_invariant": False, "startup_timeout_seconds": 20, "canary_tolerance": 0.1,
        "on_canary_failure": "merge", "client": CLIENT, **changes,
    }  # fmt: skip


def model_spec(checkpoint: Path) -> ModelSpec:
    """A checkpoint as every request names its model."""
    return ModelSpec(**work_request("generate", checkpoint, checkpoint)["model"])
