"""What can go wrong by expectation, under the codes of `contract/failures.ts`."""

from __future__ import annotations

from typing import Any, Literal

Code = Literal[
    "ConfigInvalid",
    "ModelInvalid",
    "ModelUnreachable",
    "EndpointUnavailable",
    "EndpointInvalid",
    "DataInvalid",
    "ArtifactDamaged",
    "NonFiniteLoss",
    "TrainingInvariant",
    "OutOfMemory",
    "LockHeld",
    "RankDied",
    "RankHostUnavailable",
    "ProtocolMismatch",
    "DiskFull",
    "Internal",
]

EXIT_FAILED = 1
EXIT_MISUSED = 2
# sysexits.h EX_TEMPFAIL: stopped on request, the work folder holds what is needed to go on
EXIT_STOPPED = 75


class SticflowError(Exception):
    """A failure that a person can act on; the message says what to do.

    Args:
        code: A code of `contract/failures.ts`; it alone decides whether the server tries again.
        message: Expected, named thing, what came, what to do.
        details: Facts for machines, JSON only.
    """

    def __init__(self, code: Code, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code: Code = code
        self.details = details


class Stopped(Exception):
    """SIGTERM was answered at the next place where nothing is lost."""
