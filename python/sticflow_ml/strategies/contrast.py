"""The corrupted images that some strategies score a chosen text on."""

from __future__ import annotations

from collections.abc import Sequence

from sticflow_ml.contract import ImageFile, PreferencePair
from sticflow_ml.errors import SticflowError


def contrast_images(pairs: Sequence[PreferencePair]) -> list[ImageFile]:
    """Return one image a pair; pairs of a strategy that has none are an error."""
    return [_contrast_image(pair) for pair in pairs]


def _contrast_image(pair: PreferencePair) -> ImageFile:
    contrast = pair.provenance.contrast
    if contrast is None:
        raise SticflowError(
            "DataInvalid",
            f"Expected a contrast image on the pair `{pair.pair_id}`, found none. Pairs of another "
            "strategy have none: let the preference stage of this run make them.",
            pair_id=pair.pair_id,
        )
    return contrast.image
