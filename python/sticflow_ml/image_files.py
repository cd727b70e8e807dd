"""Where the images of a request lie, and their bytes for a server."""

from __future__ import annotations

import base64
from pathlib import Path

from sticflow_ml.contract import ImageFile, ImageRoots
from sticflow_ml.errors import SticflowError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def image_path(roots: ImageRoots, image: ImageFile) -> Path:
    """Path of an image inside its root.

    Raises:
        SticflowError: `DataInvalid` when the request has no such root or the name leaves it.
    """
    root = roots.images if image.root == "images" else roots.corrupted
    if root is None:
        raise SticflowError(
            "DataInvalid",
            f"Expected image_roots.{image.root} for the image {image.file}, got null.",
            image=image.file,
        )
    path = (Path(root) / image.file).resolve()
    if not path.is_relative_to(Path(root).resolve()):
        raise SticflowError(
            "DataInvalid",
            f"Expected the image {image.file} to lie inside its folder, it does not.",
            image=image.file,
        )
    return path


def image_data_url(roots: ImageRoots, image: ImageFile) -> str:
    """The stored PNG as it is, as a `data:` URL.

    Raises:
        SticflowError: `DataInvalid` when there is none.
    """
    try:
        content = image_path(roots, image).read_bytes()
    except OSError as error:
        raise SticflowError(
            "DataInvalid",
            f"Expected a PNG file at {image.root}/{image.file}, got: {error.strerror}",
            image=image.file,
        ) from error
    if not content.startswith(PNG_SIGNATURE):
        raise SticflowError(
            "DataInvalid",
            f"Expected a PNG file at {image.root}/{image.file}, got other bytes.",
            image=image.file,
        )
    return "data:image/png;base64," + base64.b64encode(content).decode()
