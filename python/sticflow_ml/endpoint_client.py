"""Ask an OpenAI-compatible server, patiently: retries, pauses, a rate, a deadline an attempt.

Knows HTTP and its failures, nothing of texts. The key goes into one header and nowhere else.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx2

from sticflow_ml.contract import ClientSpec
from sticflow_ml.errors import SticflowError
from sticflow_ml.retrying import (
    MAX_RETRY_AFTER_SECONDS,
    RETRYABLE_STATUSES,
    Gate,
    backoff_seconds,
    retry_after_seconds,
)

# A text of 8,192 tokens with log-probabilities stays far below it.
MAX_ANSWER_BYTES = 16 * 2**20
MAX_COMPLAINT_CHARACTERS = 500

# Its INFO lines would be one a request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

T = TypeVar("T")


class Unusable(Exception):
    """An answer that came whole and makes no sense; asking again may help."""


class EndpointClient:
    """A connection to one server; use as an async context manager.

    Args:
        base_url: Up to and without the slash in front of `chat/completions`.
        api_key: Sent as a bearer token; None = no header.
        spec: Concurrency, deadline, retries, rate.
        config_key: Section of the config that it was made from, for people.
        trusts_environment: Whether proxies and certificates of the environment count.
        on_attempt: Called after every attempt, whatever came of it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        spec: ClientSpec,
        *,
        config_key: str,
        trusts_environment: bool = True,
        on_attempt: Callable[[], None] = lambda: None,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._spec = spec
        self._config_key = config_key
        self._on_attempt = on_attempt
        self._gate = Gate(spec.max_requests_per_minute)
        self._http = httpx2.AsyncClient(
            headers={} if api_key is None else {"Authorization": f"Bearer {api_key}"},
            limits=httpx2.Limits(
                max_connections=spec.max_concurrency,
                max_keepalive_connections=spec.max_concurrency,
            ),
            # Its own timeouts are those of single reads; ours is that of the whole attempt.
            timeout=None,
            follow_redirects=False,
            trust_env=trusts_environment,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return urlsplit(self._base_url).netloc

    async def get(self, path: str, *, read: Callable[[Any], T]) -> T:
        """GET a path below the base address; `read` gets JSON, see `ask`."""
        return await self.ask("GET", path, None, read=lambda answer: read(_json(answer)), seed=0)

    async def post(
        self, path: str, body: dict[str, Any], *, read: Callable[[Any], T], seed: int
    ) -> T:
        """POST JSON to a path below the base address; `read` gets JSON, see `ask`."""
        return await self.ask(
            "POST", path, body, read=lambda answer: read(_json(answer)), seed=seed
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        read: Callable[[bytes], T],
        seed: int,
    ) -> T:
        """Ask until a usable answer comes.

        Args:
            method: GET or POST.
            path: Begins with a slash; appended to the base address.
            body: Sent as JSON.
            read: Makes something of what came; raises `Unusable` to have it asked again.
            seed: Of the random delays.

        Raises:
            SticflowError: `EndpointUnavailable` when every attempt failed, `EndpointInvalid` when
                the server refuses what it was asked.
        """
        problem, attempt = "", 0
        for attempt in range(self._spec.max_retries + 1):
            await self._gate.enter()
            pause: float | None = None
            try:
                async with asyncio.timeout(self._spec.request_timeout_seconds):
                    response = await self._send(method, path, body)
                if response.status == 200:
                    return read(response.content)
                problem = response.complaint
                if response.status not in RETRYABLE_STATUSES:
                    raise self._refused(path, problem)
                pause = retry_after_seconds(
                    response.retry_after, datetime.datetime.now(datetime.UTC)
                )
            except TimeoutError:
                problem = f"no whole answer within {self._spec.request_timeout_seconds:g} seconds"
            except httpx2.RequestError as error:
                problem = f"{type(error).__name__}: {error}"
            except Unusable as error:
                problem = str(error)
            finally:
                self._on_attempt()
            if pause is not None:
                if pause > MAX_RETRY_AFTER_SECONDS:
                    problem += f"; it asks for a pause of {pause:g} seconds"
                    break
                self._gate.pause(pause)
            if attempt < self._spec.max_retries:
                base_seconds = self._spec.retry_delay_seconds
                await asyncio.sleep(backoff_seconds(attempt, base_seconds=base_seconds, seed=seed))
        raise SticflowError(
            "EndpointUnavailable",
            f"Expected an answer of {self._base_url}{path}, got after {attempt + 1} attempts: "
            f"{problem}. See whether the server runs and is not overloaded; the work goes on from "
            "what is finished.",
            attempts=attempt + 1,
        )

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> _Response:
        url = f"{self._base_url}{path}"
        async with self._http.stream(method, url, json=body) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise Unusable(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            return _Response(
                response.status_code,
                response.headers.get("Retry-After"),
                self._without_key(bytes(content)),
            )

    def _refused(self, path: str, problem: str) -> SticflowError:
        return SticflowError(
            "EndpointInvalid",
            f"Expected {self._base_url}{path} to take the request, got {problem}. Check the "
            f"address, names and key in {self._config_key}.",
        )

    def _without_key(self, content: bytes) -> bytes:
        """What came, even where a server repeats the key in it."""
        return content if self._api_key is None else content.replace(self._api_key.encode(), b"***")


@dataclass(frozen=True)
class _Response:
    status: int
    retry_after: str | None
    content: bytes

    @property
    def complaint(self) -> str:
        text = self.content.decode(errors="replace").strip()
        return f"status {self.status}: {text[:MAX_COMPLAINT_CHARACTERS]}"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise Unusable(f"an answer that is no JSON ({error})") from error
