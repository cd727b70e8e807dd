"""`download_model`: fetch the files of one commit of a hub repository, weights as safetensors only."""

from __future__ import annotations

import os
from pathlib import Path

from sticflow_ml.contract import DownloadModelRequest
from sticflow_ml.errors import SticflowError
from sticflow_ml.protocol import Reporter

ALLOWED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


def download_model(request: DownloadModelRequest, reporter: Reporter) -> None:
    """Fetch a snapshot into `destination`; what is there already is not fetched again.

    Raises:
        SticflowError: `ModelUnreachable` with what to put where, `ModelInvalid` when the hub says
            that there is no such repository or commit.
    """
    # The library reads this once, at import; only this command may go out.
    os.environ.pop("HF_HUB_OFFLINE", None)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    reporter.progress("downloading", 0, 1, "items")
    try:
        snapshot_download(
            request.repository,
            revision=request.revision,
            local_dir=request.destination,
            allow_patterns=list(ALLOWED),
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise SticflowError(
            "ModelInvalid",
            f"Expected the hub to have {request.repository} at {request.revision}, it answers: "
            f"{error}. Check the name, the commit, and whether you have access.",
        ) from error
    except (OSError, HfHubHTTPError, RuntimeError) as error:
        raise SticflowError(
            "ModelUnreachable",
            f"Expected to fetch {request.repository} at {request.revision}, got: {error}. Without "
            f"network, put the files of that commit into {Path(request.destination)} or set "
            "model.source to a folder that holds the checkpoint.",
        ) from error
    reporter.progress("downloading", 1, 1, "items")
    reporter.result(0, {"repository": request.repository, "revision": request.revision})
