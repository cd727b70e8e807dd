"""What strategies share that add a term about a corrupted image to DPO's."""

from __future__ import annotations

from collections.abc import Sequence

from sticflow_ml.contract import ImageFile, PreferencePair
from sticflow_ml.errors import SticflowError
from sticflow_ml.pair_scorer import text_row
from sticflow_ml.shared_prefix import Row
from sticflow_ml.strategies.regularised_dpo import RegularisedDpo
from sticflow_ml.training import Training


class DpoWithContrast:
    """DPO on the clean image; a subclass adds scores of the chosen text, and their term of the loss."""

    def __init__(self, dpo: RegularisedDpo, training: Training) -> None:
        self._dpo = dpo
        self._training = training
        self.forward = dpo.forward
        self.forward_reason = dpo.forward_reason

    def row(self, pair: PreferencePair) -> Row:
        """Tokens of prompt, chosen and rejected on the clean image."""
        return self._dpo.row(pair)

    def _contrast_rows(self, pairs: Sequence[PreferencePair]) -> tuple[list[Row], list[ImageFile]]:
        """Chosen texts on the corrupted images, which may have other numbers of tokens."""
        images = _contrast_images(pairs)
        rows = [
            text_row(self._training, pair.prompt, [pair.chosen], image=image)
            for pair, image in zip(pairs, images, strict=True)
        ]
        return rows, images


def _contrast_images(pairs: Sequence[PreferencePair]) -> list[ImageFile]:
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
