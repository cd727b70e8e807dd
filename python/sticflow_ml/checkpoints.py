"""Resumable trainer state on disk: safetensors and JSON, complete or not there.

A checkpoint is a folder whose `manifest.json`, written last, holds the sha256 of every file; it gets
its name by a rename. The newest one that verifies is used. Nothing is pickled, written or read.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import fill_directory, read_json, sha256_of_file

MANIFEST = "manifest.json"
NUM_KEPT = 2
_NAME = re.compile(r"checkpoint-(\d+)")


def write_checkpoint(
    folder: Path, step: int, fill: Callable[[Path], None], *, identity: dict[str, Any]
) -> Path:
    """Write the checkpoint of `step` and forget all but the newest two.

    `identity` says what the training depends on.
    """

    def fill_and_prove(temporary: Path) -> None:
        fill(temporary)
        files = {path.name: sha256_of_file(path) for path in sorted(temporary.iterdir())}
        manifest = {"step": step, "identity": identity, "files": files}
        text = json.dumps(manifest, indent=2, sort_keys=True)
        (temporary / MANIFEST).write_text(text + "\n", encoding="utf-8")

    path = checkpoint_path(folder, step)
    fill_directory(path, fill_and_prove)
    for _, old in _by_step(folder)[:-NUM_KEPT]:
        shutil.rmtree(old)
    return path


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"checkpoint-{step}"


def newest_checkpoint(folder: Path, identity: dict[str, Any], reporter: Reporter) -> int | None:
    """Find the step of the newest checkpoint of this training whose files are what its manifest says.

    Tells of each one that is not, and why.
    """
    for step, path in reversed(_by_step(folder)):
        flaw = _flaw(path, identity)
        if flaw is None:
            return step
        reporter.notice("checkpoint_damaged", f"{path.name}: {flaw}; an older one is used")
    return None


def save_optimizer(optimizer: Any, scheduler: Any, folder: Path) -> None:
    """Write the state of AdamW and of the learning-rate schedule."""
    state = optimizer.state_dict()
    tensors = {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, values in state["state"].items()
        for name, value in values.items()
    }
    save_file(tensors, str(folder / "optimizer.safetensors"))
    facts = {"param_groups": state["param_groups"], "scheduler": scheduler.state_dict()}
    (folder / "optimizer.json").write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")


def load_optimizer(optimizer: Any, scheduler: Any, folder: Path) -> None:
    """Put back what `save_optimizer` wrote."""
    facts = read_json(folder / "optimizer.json")
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(str(folder / "optimizer.safetensors")).items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": facts["param_groups"]})
    scheduler.load_state_dict(facts["scheduler"])


def _by_step(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted((int(match[1]), path) for match, path in found)


def _flaw(path: Path, identity: dict[str, Any]) -> str | None:
    manifest = path / MANIFEST
    if not manifest.is_file():
        return "no manifest"
    try:
        content = read_json(manifest)
        files, before = content["files"], content["identity"]
    except (ValueError, KeyError, TypeError):
        return "broken manifest"
    changed = sorted(name for name, value in identity.items() if before.get(name) != value)
    if changed:
        return f"made with another {', '.join(changed)}"
    for name, sha256 in files.items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if sha256_of_file(path / name) != sha256:
            return f"the bytes of {name} have changed"
    return None
