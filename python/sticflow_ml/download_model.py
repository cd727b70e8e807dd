"""`download_model`: fetch the files of one commit of a hub repository, weights as safetensors only."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from tqdm import tqdm

from sticflow_ml.contract import DownloadModelRequest
from sticflow_ml.errors import SticflowError
from sticflow_ml.protocol import Reporter

ALLOWED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


def download_model(request: DownloadModelRequest, reporter: Reporter) -> None:
    """Fetch a snapshot into `destination`; what is there already is not fetched again.

    Raises:
        SticflowError: `ModelUnreachable` with what to put where; `ModelInvalid` when the hub has no
            such repository or commit, or that has no safetensors; `DiskFull`.
    """
    destination = Path(request.destination)
    with _online(), _failures_named(request):
        sizes = _files_to_fetch(request)
        total = sum(sizes.values())
        reporter.progress("downloading", 0, total, "bytes")
        snapshot_download(
            request.repository,
            revision=request.revision,
            local_dir=destination,
            allow_patterns=list(ALLOWED),
            tqdm_class=_reporting_bar(reporter, total),
        )
        # Offline in mid-way, the library is content with whatever lies in the folder.
        missing = [
            name
            for name, size in sizes.items()
            if not (destination / name).is_file() or (destination / name).stat().st_size != size
        ]
        if missing:
            raise OSError(f"{len(missing)} files are not there, among them {missing[0]}")
    reporter.progress("downloading", total, total, "bytes")
    reporter.result(len(sizes), {"num_files": len(sizes), "size_bytes": total})


def _files_to_fetch(request: DownloadModelRequest) -> dict[str, int]:
    """Sizes of the allowed files of the commit, by name."""
    entries = HfApi().list_repo_tree(request.repository, revision=request.revision, recursive=True)
    sizes = {
        entry.path: entry.size
        for entry in entries
        if isinstance(entry, RepoFile) and any(fnmatch(entry.path, one) for one in ALLOWED)
    }
    if not any(name.endswith(".safetensors") for name in sizes):
        raise SticflowError(
            "ModelInvalid",
            f"Expected safetensors in {request.repository} at {request.revision}, found none. "
            "Choose a commit whose weights are stored as safetensors.",
        )
    return sizes


@contextmanager
def _online() -> Iterator[None]:
    """Let this one command reach the hub; the process is offline before and after it."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def _failures_named(request: DownloadModelRequest) -> Iterator[None]:
    what = f"{request.repository} at {request.revision}"
    try:
        yield
    except SticflowError:
        raise
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise SticflowError(
            "ModelInvalid",
            f"Expected the hub to have {what}, it answers: {error}. Check the name and the commit; "
            "a gated or private repository needs a token, stored by `hf auth login`.",
        ) from error
    except Exception as error:  # whatever a network, a proxy or a server can come up with
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SticflowError(
                "DiskFull", f"Expected room for {what}, but the disk is full. Free some space."
            ) from error
        raise SticflowError(
            "ModelUnreachable",
            f"Expected to fetch {what}, got {type(error).__name__}: {error}. Without network, put "
            f"the {', '.join(ALLOWED)} files of that commit into {request.destination}, or set "
            "model.source to a folder that holds the checkpoint.",
        ) from error


def _reporting_bar(reporter: Reporter, total: int) -> type[Any]:
    """Make a progress bar that shows nothing and tells the owner of bytes as they are written."""

    class ReportingBar(tqdm):  # pyright: ignore[reportMissingTypeArgument]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            # The library has one bar for bytes on the wire and one for bytes on disk.
            self._counts = str(options.get("desc", "")).startswith("Reconstructing")
            self._written = 0.0
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if self._counts:
                self._written += n or 0
                reporter.progress("downloading", min(self._written, total), total, "bytes")
            return super().update(n)

    return ReportingBar
