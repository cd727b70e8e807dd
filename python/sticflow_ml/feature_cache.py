"""Features of images on disk: the vision tower is never trained, so what it made once is made for good.

One safetensors file an image, named by all that its bytes depend on, with a checksum inside; a file that is
torn or changed is made anew. Several processes share a folder. It is a cache: whatever is wrong with
it costs time, never a result.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sticflow_ml.contract import ModelSpec
from sticflow_ml.devices import device_name
from sticflow_ml.images import Encode

# Of the limit: what a process writes between two looks through the folder, which others fill too. As much
# is deleted beyond what has to be, so that a full folder is not looked through for every file.
SHARE_BETWEEN = 0.05
# For checkpoints and artifacts, which a run cannot do without.
FREE_BYTES = 2**30
# A file that is written for longer has lost its writer.
SECONDS_OF_A_WRITE = 3600
_log = logging.getLogger(__name__)


class FeatureCache:
    """A folder of features, of at most `max_bytes`; those not asked for the longest go first.

    Args:
        folder: Made when it is not there.
        max_bytes: Of all files together, also those of other models.
        spec: Of the model whose features these are.
        device: Where they are wanted.
    """

    def __init__(self, folder: Path, max_bytes: int, spec: ModelSpec, device: torch.device) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._device = device
        self._fixed = "/".join(
            [
                # The processor's part is in the pixels that are hashed.
                *(spec.sha256, spec.dtype, device_name(device), str(spec.num_threads)),
                *(f"{name} {version(name)}" for name in ("torch", "transformers")),
            ]
        )
        # Since the folder was looked through; it may be full when this process comes.
        self._num_written = max_bytes
        self._is_off = False

    def around(self, encode: Encode) -> Encode:
        """The same function, which asks the disk first."""

        def encode_or_read(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            if self._is_off:
                return encode(inputs)
            path = self._path(inputs)
            found = _read(path)
            if found is None:
                found = encode(inputs)
                self._try(lambda: self._write(path, found))
                return found
            self._try(lambda: os.utime(path))
            return found.to(self._device)

        return encode_or_read

    def _path(self, inputs: dict[str, torch.Tensor]) -> Path:
        digest = hashlib.sha256(self._fixed.encode())
        for name in sorted(inputs):
            tensor = inputs[name].contiguous()
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(_bytes_of(tensor))
        return self._folder / f"{digest.hexdigest()}.safetensors"

    def _write(self, path: Path, features_TD: torch.Tensor) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free < FREE_BYTES:
            raise OSError(errno.ENOSPC, "less than 1 GiB is free", str(self._folder))
        on_cpu = features_TD.detach().cpu().contiguous()
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            save_file({"features": on_cpu}, str(temporary), {"sha256": _sha256(on_cpu)})
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._num_written += path.stat().st_size
        if self._num_written > SHARE_BETWEEN * self._max_bytes:
            self._make_room()
            self._num_written = 0

    def _make_room(self) -> None:
        """Delete the files that were not asked for the longest; others may delete at the same time."""
        # What killed processes have left is no use to anybody and sorts first.
        files: list[tuple[bool, float, int, Path]] = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            is_whole = path.suffix != ".tmp"
            if is_whole or status.st_mtime < time.time() - SECONDS_OF_A_WRITE:
                files.append((is_whole, status.st_mtime, status.st_size, path))
        total = sum(size for _, _, size, _ in files)
        for is_whole, _, size, path in sorted(files):
            if is_whole and total <= (1 - SHARE_BETWEEN) * self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _try(self, work: Callable[[], None]) -> None:
        """Do what the cache needs and nobody else; where the disk refuses, go on without."""
        try:
            work()
        except FileNotFoundError:
            return  # deleted by another process in the meantime
        except (OSError, SafetensorError) as error:
            self._is_off = True
            _log.warning(
                "Expected a folder for image features that can be written, got: %s. Images are encoded "
                "without it from here on; results are the same. Free the disk, or drop "
                "model.feature_cache_bytes.",
                error,
            )


def _read(path: Path) -> torch.Tensor | None:
    try:
        with safe_open(str(path), framework="pt") as file:
            features_TD = file.get_tensor("features")
            expected = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return features_TD if _sha256(features_TD) == expected else None


def _sha256(tensor: torch.Tensor) -> str:
    return hashlib.sha256(_bytes_of(tensor)).hexdigest()


def _bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
