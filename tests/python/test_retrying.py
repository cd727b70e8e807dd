"""When a server is asked again."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from sticflow_ml.retrying import Gate, backoff_seconds, retry_after_seconds

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)


def test_delays_stay_below_a_bound_that_doubles_up_to_a_minute() -> None:
    delays = [
        [backoff_seconds(attempt, base_seconds=0.5, seed=seed) for seed in range(200)]
        for attempt in range(10)
    ]

    for attempt, bound in enumerate([0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]):
        assert 0.9 * bound < max(delays[attempt]) < bound
        assert 0 <= min(delays[attempt]) < 0.1 * bound


def test_a_delay_is_a_function_of_seed_and_attempt() -> None:
    first, again, other = (
        backoff_seconds(3, base_seconds=1, seed=seed) for seed in (5, 5, 2**53 - 1)
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
    ],
)
def test_a_pause_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


def test_the_gate_lets_through_at_most_so_often() -> None:
    async def times() -> list[float]:
        gate = Gate(60 / 0.05)
        loop = asyncio.get_running_loop()

        async def enter() -> float:
            await gate.enter()
            return loop.time()

        return sorted(await asyncio.gather(*(enter() for _ in range(6))))

    entered = asyncio.run(times())

    # Six requests have five gaps of 50 ms; a timer may be a clock tick early.
    assert entered[-1] - entered[0] >= 0.24


def test_a_pause_holds_back_everybody() -> None:
    async def waited() -> float:
        gate = Gate(None)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await gate.enter()
        gate.pause(0.2)
        gate.pause(0.1)
        await asyncio.gather(*(gate.enter() for _ in range(3)))
        return loop.time() - started

    assert 0.19 <= asyncio.run(waited()) < 1
