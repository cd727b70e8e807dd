"""Features of images on disk: the vision tower is never trained, so what it made once is made for good.

One safetensors file an image, named by all that its bytes depend on, with a checksum inside; a file that is
torn or changed is made anew. Several processes share a folder. It is a cache: whatever is wrong with
it costs time, never a result.
"""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sticflow_ml.contract import ModelSpec
from sticflow_ml.images import Encode

# What is deleted makes room for a while, so that not every new file looks through the folder.
SHARE_KEPT = 0.9
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
                *(spec.sha256, spec.dtype, device.type, str(spec.num_threads)),
                *(f"{name} {version(name)}" for name in ("torch", "transformers")),
            ]
        )
        # None = not counted yet
        self._num_bytes: int | None = None
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
        on_cpu = features_TD.detach().cpu().contiguous()
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            save_file({"features": on_cpu}, str(temporary), {"sha256": _sha256(on_cpu)})
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        if self._num_bytes is not None:
            self._num_bytes += path.stat().st_size
        if self._num_bytes is None or self._num_bytes > self._max_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Delete the files that were not asked for the longest; others may delete at the same time."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*.safetensors"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        if total > self._max_bytes:
            for _, size, path in sorted(files):
                path.unlink(missing_ok=True)
                total -= size
                if total <= SHARE_KEPT * self._max_bytes:
                    break
        self._num_bytes = total

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
                "without it from here on; results are the same.",
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
