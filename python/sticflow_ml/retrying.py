"""When to ask a server again: pure functions of what came back, and the gate that all requests pass.

Delays are random so that requests which failed together do not come back together, and a function of
(seed, attempt), so that nothing here draws from a generator of the process.
"""

from __future__ import annotations

import asyncio
import datetime
import email.utils

import numpy as np

# RFC 9110: 408 and 425 ask for another try, 429 for a later one; of the 5xx, 501 and 505 would not change.
RETRYABLE_STATUSES = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})
MAX_DELAY_SECONDS = 60.0
# A server that wants longer is not waited for: the worker has other work, and the workflow comes back.
MAX_RETRY_AFTER_SECONDS = 120.0


def backoff_seconds(attempt: int, *, base_seconds: float, seed: int) -> float:
    """Delay after the failure of an attempt: uniform below a bound that doubles ("full jitter").

    Args:
        attempt: Counted from 0. Bounds of a base of 0.5: 0.5, 1, 2, ... 60 seconds.
        base_seconds: The first bound.
        seed: Of the text that is asked for.
    """
    bound = min(MAX_DELAY_SECONDS, base_seconds * 2.0**attempt)
    key = np.array([seed, attempt], dtype=np.uint64)
    return float(np.random.Generator(np.random.Philox(key=key)).random()) * bound


def retry_after_seconds(header: str | None, now: datetime.datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for, given as a number or a date (RFC 9110, 10.2.3).

    Returns:
        None when there is no header or nobody can read it.
    """
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - now).total_seconds())


class Gate:
    """Lets requests through at most so often, and none while the server wants a pause.

    Args:
        max_per_minute: None = as they come.
    """

    def __init__(self, max_per_minute: float | None) -> None:
        self._interval_seconds = 0.0 if max_per_minute is None else 60.0 / max_per_minute
        self._next = 0.0
        self._paused_until = 0.0

    async def enter(self) -> None:
        """Wait for this request's turn."""
        loop = asyncio.get_running_loop()
        while (wait := max(self._next, self._paused_until) - loop.time()) > 0:
            await asyncio.sleep(wait)
        self._next = loop.time() + self._interval_seconds

    def pause(self, seconds: float) -> None:
        """Hold back everybody: a server that is busy for one is busy for all."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)
