"""A shard of texts from a server: many requests at once, each answer kept as soon as it is there.

The server may be anybody's or one that we started; what differs is in the target. A line of the
partial file is one text with its place, in the order in which answers came, so that a finished text is
never asked for again, and the result is put in order at the end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sticflow_ml.chat_completion import Answered, Expected, completion_body, read_completion
from sticflow_ml.contract import GenerateRequest, Generation, GenerationRequest
from sticflow_ml.control_tokens import control_token_pattern
from sticflow_ml.endpoint_client import EndpointClient
from sticflow_ml.faults import Faults
from sticflow_ml.generation_files import GenerationFiles, image_order
from sticflow_ml.image_files import image_data_url
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.lines import PartialLines
from sticflow_ml.protocol import Reporter

# How long a request to stop may go unnoticed.
TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Target:
    """The policy as a server knows it, and what is recorded of it.

    Args:
        model: Name to ask for.
        expected: What its answers say.
        facts: For `generation.json`.
        deviations: What the server does not do as asked, for all texts alike.
    """

    model: str
    expected: Expected
    facts: dict[str, Any]
    deviations: tuple[dict[str, Any], ...]


class EndpointShard:
    """The texts of one request.

    Args:
        request: What is asked for.
        files: Its files.
        max_concurrency: Requests under way at once.
        reporter: Hears of progress.
        lifeline: Knows when to stop.
    """

    def __init__(
        self,
        request: GenerateRequest,
        files: GenerationFiles,
        *,
        max_concurrency: int,
        reporter: Reporter,
        lifeline: Lifeline,
    ) -> None:
        self._request = request
        self._files = files
        self._max_concurrency = max_concurrency
        self._reporter = reporter
        self._lifeline = lifeline
        self._num_done = 0

    def tell(self) -> None:
        """Report where the work stands; also after an attempt that failed, which was work too."""
        self._reporter.progress("generating", self._num_done, len(self._files.requests), "items")

    async def write(self, client: EndpointClient, target: Target) -> None:
        """Ask for what is missing, then write the result.

        Raises:
            SticflowError: As `EndpointClient.ask` and `read_completion`; finished texts are kept.
            Stopped: SIGTERM came.
        """
        partial = self._files.open_partial([1] * len(self._files.requests))
        try:
            self._num_done = len(partial.lines)
            await self._ask_all(client, target, partial)
        finally:
            partial.close()
        lines = sorted(partial.lines, key=lambda line: line["place"])
        refused = [
            {"name": "refused", "request_id": line["generation"]["request_id"]}
            for line in lines
            if line["is_refused"]
        ]
        self._files.write_output(
            [Generation.model_validate(line["generation"]) for line in lines],
            facts=target.facts,
            deviations=[*target.deviations, *refused],
        )

    async def _ask_all(self, client: EndpointClient, target: Target, partial: PartialLines) -> None:
        finished = {line["place"] for line in partial.lines}
        waiting = deque(
            place for place in image_order(self._files.requests) if place not in finished
        )
        faults = Faults(Path(self._request.work_dir))
        control_tokens = control_token_pattern(Path(self._request.model.path))

        async def work() -> None:
            while waiting:
                place = waiting.popleft()
                row = self._files.requests[place]
                plain = row.model_copy(update={"prompt": control_tokens.sub("", row.prompt)})
                answered = await self._ask(client, target, plain)
                faults.reach("generate.text")
                partial.append([_line(place, answered)])
                self._num_done = len(partial.lines)
                self.tell()

        count = min(len(waiting), self._max_concurrency)
        await together([work() for _ in range(count)], self._lifeline)

    async def _ask(
        self, client: EndpointClient, target: Target, row: GenerationRequest
    ) -> Answered:
        image_url = (
            None if row.image is None else image_data_url(self._request.image_roots, row.image)
        )
        return await client.post(
            "/chat/completions",
            completion_body(row, image_url=image_url, model=target.model),
            read=lambda answer: read_completion(answer, row, target.expected),
            seed=row.seed,
        )


async def together(work: list[Any], lifeline: Lifeline) -> None:
    """Run coroutines until all are done or one fails; then, or when asked to stop, end the others.

    Raises:
        Stopped: SIGTERM came.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    unfinished = set(tasks)
    try:
        while unfinished:
            done, unfinished = await asyncio.wait(
                unfinished, timeout=TICK_SECONDS, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            lifeline.raise_if_stopped()
    finally:
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


def _line(place: int, answered: Answered) -> dict[str, Any]:
    return {
        "place": place,
        "generation": answered.generation.model_dump(),
        "is_refused": answered.is_refused,
    }
