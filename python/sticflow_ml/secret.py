"""Read a secret from where the config says it is, at the moment it is needed."""

from __future__ import annotations

import os
from pathlib import Path

from sticflow_ml.contract import SecretPlace
from sticflow_ml.errors import SticflowError


def read_secret(place: SecretPlace) -> str:
    """Return the secret without outer white space.

    Raises:
        SticflowError: `EndpointInvalid` when there is none or it cannot stand in a header; the
            message names the place, never the secret.
    """
    name = place.name if place.kind == "environment" else Path(place.name).name
    if place.kind == "environment":
        value = os.environ.get(place.name, "")
    else:
        try:
            value = Path(place.name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            value = ""
    secret = value.strip()
    if not secret or not all("!" <= character <= "~" for character in secret):
        what = "variable" if place.kind == "environment" else "file"
        raise SticflowError(
            "EndpointInvalid",
            f"Expected a key of printable ASCII in the {what} {name} on this worker, found none. "
            "Provide it where the GPU worker starts, and start the worker again.",
        )
    return secret
