"""Strategies by the kind of objective that a request names."""

from __future__ import annotations

from sticflow_ml.contract import (
    MdpoObjective,
    PositiveOnlyObjective,
    PovidObjective,
    PreferencePair,
    SticReleasedObjective,
    TrainPreferenceRequest,
)
from sticflow_ml.strategies.mdpo import Mdpo
from sticflow_ml.strategies.positive_only import PositiveOnly
from sticflow_ml.strategies.povid import Povid
from sticflow_ml.strategies.regularised_dpo import RegularisedDpo
from sticflow_ml.strategies.stic_released import SticReleased
from sticflow_ml.strategies.strategy import PairStrategy
from sticflow_ml.training import Training


def open_strategy(
    request: TrainPreferenceRequest, training: Training, first: PreferencePair
) -> PairStrategy:
    """Return what the request trains with; `first` is the pair that things are tried on."""
    match request.objective:
        case None:
            return RegularisedDpo(request.loss, training, first)
        case PositiveOnlyObjective():
            return PositiveOnly(training)
        case SticReleasedObjective() as objective:
            return SticReleased(objective, request.loss, training)
        case MdpoObjective() as objective:
            return Mdpo(objective, request.loss, training, first)
        case PovidObjective() as objective:
            return Povid(objective, request.loss, training, first)
