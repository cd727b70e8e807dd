"""What our own forward pass says: the yardstick for a server's adapter, and a merged checkpoint.

On the CPU, since the server has the device. Text only and short, so that a 7B takes seconds.
"""

# The annotations of transformers are wider or narrower than what they take and return.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from sticflow_ml.adapter_canary import CANARY_TEXT, Logps
from sticflow_ml.contract import AdapterSpec, ModelSpec
from sticflow_ml.losses import token_logps
from sticflow_ml.model import DTYPES, LoadedModel
from sticflow_ml.protocol import Reporter
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.work_folder import fill_directory


@dataclass(frozen=True)
class Yardstick:
    """The canary text as tokens of one checkpoint, and our log-probabilities of them."""

    token_ids: list[int]
    logps: Logps


def yardstick(model: ModelSpec, adapter: AdapterSpec | None, reporter: Reporter) -> Yardstick:
    """Load the policy, ask it, and forget it.

    Raises:
        SticflowError: `ModelInvalid`.
    """
    warm = WarmPolicy()
    spec = model.model_copy(update={"device": "cpu"})
    loaded = warm.for_generation(spec, None, reporter)
    token_ids = loaded.processor.tokenizer(CANARY_TEXT)["input_ids"]
    base = _logps(loaded, token_ids)
    adapted = None
    if adapter is not None:
        adapted = _logps(warm.for_generation(spec, adapter, reporter), token_ids)
    warm.drop()
    return Yardstick(token_ids, Logps(base=base, adapter=adapted))


def write_merged(
    model: ModelSpec, adapter: AdapterSpec, folder: Path, *, reporter: Reporter
) -> None:
    """Write base and adapter as one checkpoint in the dtype of the base; added up in float32.

    Raises:
        SticflowError: `ModelInvalid`, `DiskFull`.
    """
    warm = WarmPolicy()
    spec = model.model_copy(update={"device": "cpu", "dtype": "float32"})
    loaded = warm.for_generation(spec, adapter, reporter)
    assert warm.adapter_mode == "merged", "float32 merges"

    def fill(temporary: Path) -> None:
        for path in Path(model.path).iterdir():
            is_weights = path.suffix == ".safetensors" or path.name.endswith(".index.json")
            if path.is_file() and not is_weights:
                shutil.copyfile(path, temporary / path.name)
        loaded.model.to(DTYPES[model.dtype]).save_pretrained(temporary)

    fill_directory(folder, fill)
    warm.drop()


@torch.no_grad()
def _logps(loaded: LoadedModel, token_ids: list[int]) -> list[float]:
    ids_1T = torch.tensor([token_ids])
    logits_TV = loaded.model(input_ids=ids_1T, use_cache=False).logits[0]
    return token_logps(logits_TV[:-1], ids_1T[0, 1:]).tolist()
