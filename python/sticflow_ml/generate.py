"""`generate`: one text for every request of a shard, resumable between blocks.

Blocks are cut at fixed places of the request file, whole blocks are appended and synced, and a
later attempt goes on behind the last whole one: the bytes of the result do not tell how often the
work was interrupted.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from sticflow_ml.batch_size import MAX_ROWS, rows_that_fit
from sticflow_ml.contract import (
    GenerateRequest,
    Generation,
    GenerationRequest,
    ImageContent,
    TextContent,
    UserMessage,
)
from sticflow_ml.decoding import Written, write_texts
from sticflow_ml.devices import free_memory_bytes
from sticflow_ml.errors import SticflowError
from sticflow_ml.faults import Faults
from sticflow_ml.generation_files import GenerationFiles, image_order
from sticflow_ml.images import Images
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.memory import dimensions
from sticflow_ml.model import LoadedModel
from sticflow_ml.prefill import Prompt
from sticflow_ml.protocol import Reporter
from sticflow_ml.warm_policy import WarmPolicy

MAX_HALVINGS = 3
# A block is several batches long so that waiting prompts refill the places of finished rows, and
# short enough that an interruption costs seconds.
BATCHES_IN_A_BLOCK = 4


def generate(
    request: GenerateRequest, *, warm: WarmPolicy, reporter: Reporter, lifeline: Lifeline
) -> None:
    """Write `output/generations.jsonl` and `output/generation.json` and report the result.

    Raises:
        SticflowError: `DataInvalid`, `ModelInvalid`, `OutOfMemory`, `DiskFull`.
        Stopped: SIGTERM came; whole batches are kept.
    """
    quantization = request.model.quantization
    knobs = {
        "dtype": request.model.dtype,
        "num_threads": request.model.num_threads,
        "image_backend": request.model.image_backend,
        "batch_size": _asked(request),
        **({} if quantization is None else {"quantization": quantization}),
    }
    files = GenerationFiles(request, knobs, reporter=reporter)
    if not files.is_finished:
        _Run(request, files, reporter=reporter, lifeline=lifeline).write_all(warm)
    files.report()


def plan_blocks(
    requests: list[GenerationRequest], batch_size: int | Literal["auto"]
) -> list[list[int]]:
    """Cut the requests into blocks: a pure function of the file, whatever the machine.

    Returns:
        Indices into `requests`, a list a block of `BATCHES_IN_A_BLOCK` batches.
    """
    order = image_order(requests)
    size = BATCHES_IN_A_BLOCK * (MAX_ROWS if batch_size == "auto" else batch_size)
    return [order[start : start + size] for start in range(0, len(order), size)]


class _Run:
    """The blocks of one request."""

    def __init__(
        self,
        request: GenerateRequest,
        files: GenerationFiles,
        *,
        reporter: Reporter,
        lifeline: Lifeline,
    ) -> None:
        self._request = request
        self._files = files
        self._requests = files.requests
        self._reporter = reporter
        self._lifeline = lifeline
        self._blocks = plan_blocks(files.requests, _asked(request))
        self._deviations: list[dict[str, Any]] = []

    def write_all(self, warm: WarmPolicy) -> None:
        """Write what is missing, block by block, and the result."""
        faults = Faults(Path(self._request.work_dir))
        partial = self._files.open_partial([len(block) for block in self._blocks])
        try:
            loaded = warm.for_generation(self._request.model, self._request.adapter, self._reporter)
            images = loaded.images(self._request.image_roots, tower=warm.tower)
            for block in self._blocks[partial.num_groups :]:
                self._lifeline.raise_if_stopped()
                faults.reach("generate.block")
                done = len(partial.lines)
                rows = self._write(loaded, images, block, faults=faults, done=done)
                partial.append(rows)
                self._reporter.progress("generating", len(partial.lines), self._total, "items")
        finally:
            partial.close()
        order = [place for block in self._blocks for place in block]
        by_place = dict(zip(order, partial.lines, strict=True))
        self._files.write_output(
            [Generation.model_validate(by_place[place]) for place in sorted(by_place)],
            facts=_facts_of(loaded, warm),
            deviations=self._deviations,
        )

    @property
    def _total(self) -> int:
        return len(self._requests)

    def _write(
        self, loaded: LoadedModel, images: Images, block: list[int], *, faults: Faults, done: int
    ) -> list[dict[str, Any]]:
        """Write one block; when memory does not suffice, anew with half the rows at a time."""
        prompts = [self._prompt(loaded, images, self._requests[place]) for place in block]
        asked = _asked(self._request)
        most = self._as_many_as_fit(loaded, prompts) if asked == "auto" else asked
        for halvings in range(MAX_HALVINGS + 1):
            max_rows = -(-most // 2**halvings)
            try:
                faults.reach("generate.memory")
                return self._write_rows(loaded, block, prompts, max_rows=max_rows, done=done)
            except torch.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                if halvings == MAX_HALVINGS or max_rows == 1:
                    raise SticflowError(
                        "OutOfMemory",
                        f"Expected memory for {max_rows} texts at once, got: {error}. Set "
                        "generation.batch_size lower, or free the device.",
                        rows=max_rows,
                    ) from error
            self._deviations.append(
                {"name": "batch_halved", "first_request": self._requests[block[0]].request_id}
            )
            self._reporter.notice(
                "batch_halved", f"memory did not suffice for {max_rows} texts at once"
            )
        raise AssertionError("the last halving returns or raises")

    def _as_many_as_fit(self, loaded: LoadedModel, prompts: list[Prompt]) -> int:
        rows = rows_that_fit(
            dimensions(loaded.model.config),
            num_prompt_tokens=max(len(prompt.token_ids) for prompt in prompts),
            max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
            dtype=loaded.spec.dtype,
            free_bytes=free_memory_bytes(loaded.device),
        )
        # To the log alone: the result is that of any number.
        self._reporter.notice("rows_at_once", f"{rows} texts at once fit into memory")
        return rows

    def _write_rows(
        self,
        loaded: LoadedModel,
        block: list[int],
        prompts: list[Prompt],
        *,
        max_rows: int,
        done: int,
    ) -> list[dict[str, Any]]:
        def on_step(finished: int) -> None:
            self._lifeline.raise_if_stopped()
            self._reporter.progress("generating", done + finished, self._total, "items")

        written = write_texts(loaded, prompts, max_rows=max_rows, on_step=on_step)
        return [
            _as_line(self._requests[place], row, loaded)
            for place, row in zip(block, written, strict=True)
        ]

    def _prompt(self, loaded: LoadedModel, images: Images, request: GenerationRequest) -> Prompt:
        image = None if request.image is None else images.get(request.image)
        text = TextContent(type="text", text=request.prompt)
        message = UserMessage(
            role="user",
            content=[text] if image is None else [ImageContent(type="image"), text],
        )
        return Prompt(
            token_ids=loaded.chat.prompt_ids([message], "" if image is None else image.replacement),
            image=image,
            temperature=request.temperature,
            top_p=1.0 if request.top_p is None else request.top_p,
            max_new_tokens=request.max_new_tokens,
            seed=request.seed,
        )


def _asked(request: GenerateRequest) -> int | Literal["auto"]:
    size = request.batch_size
    return "auto" if isinstance(size, str) else size.root


def _as_line(request: GenerationRequest, row: Written, loaded: LoadedModel) -> dict[str, Any]:
    assert row.finish_reason is not None, "a block is over when every row is"
    return Generation(
        request_id=request.request_id,
        text=loaded.chat.decode(row.token_ids),
        num_tokens=len(row.token_ids),
        finish_reason=row.finish_reason,
    ).model_dump()


def _facts_of(loaded: LoadedModel, warm: WarmPolicy) -> dict[str, Any]:
    device = loaded.device.type
    return {
        "engine": "hf",
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "template_sha256": loaded.chat.template_sha256,
        "adapter_mode": warm.adapter_mode,
        "images_encoded_once": loaded.encodes_images_apart,
    }
