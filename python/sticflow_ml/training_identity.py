"""What the bytes of a training's result depend on; checkpoints and results of another one are not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sticflow_ml.contract import TrainInfusedRequest, TrainPreferenceRequest
from sticflow_ml.work_folder import sha256_of_file

TrainRequest = TrainPreferenceRequest | TrainInfusedRequest

# What names a request or a place, and so cannot change the result.
_WHERE = {"request_id", "work_dir", "attempt", "lock_timeout_seconds", "image_roots"}
_PATHS = {"model", "adapter", "pairs_path", "examples_path"}


def identity_of(request: TrainRequest, data_path: Path) -> dict[str, Any]:
    """What the bytes of the result depend on, but for the versions of libraries.

    What a request leaves out is left out here too: settings that came later change no old result. How
    many ranks share the work changes only the rounding, so that others may go on with a checkpoint.
    """
    settings = request.model_dump(mode="json", exclude=_WHERE | _PATHS, exclude_unset=True)
    for name in ("world_size", "parallelism", "hosts"):
        settings["optimization"].pop(name, None)
    infused = getattr(request, "infused", None)
    if infused is not None:
        sha256 = sha256_of_file(Path(infused.examples_path))
        settings["infused"] = {"weight": infused.weight, "data_sha256": sha256}
    return {**settings, **policy_and_data(request, data_path)}


def policy_and_data(request: TrainRequest, data_path: Path) -> dict[str, Any]:
    """The part of it that log-probabilities of the data depend on."""
    quantization = request.model.quantization
    return {
        "data_sha256": sha256_of_file(data_path),
        "model_sha256": request.model.sha256,
        "adapter_sha256": None if request.adapter is None else request.adapter.sha256,
        "dtype": request.model.dtype,
        **({} if quantization is None else {"quantization": quantization}),
        "num_threads": request.model.num_threads,
        "image_backend": request.model.image_backend,
    }
