"""Serve one request: lock its work folder, run the command, keep or drop the model.

A command is imported when it is first asked for: a download needs no torch.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from sticflow_ml.contract import (
    CompareFeaturesRequest,
    DownloadModelRequest,
    EmbedRequest,
    GenerateRequest,
    HfEngine,
    InspectModelRequest,
    OpenAiEngine,
    TrainInfusedRequest,
    TrainPreferenceRequest,
    VllmEngine,
)
from sticflow_ml.errors import SticflowError
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.protocol import MessageStream, Reporter
from sticflow_ml.work_folder import locked

if TYPE_CHECKING:
    from sticflow_ml.vllm_engine import WarmVllm

WorkRequest = GenerateRequest | TrainPreferenceRequest | TrainInfusedRequest | EmbedRequest
Request = WorkRequest | CompareFeaturesRequest | InspectModelRequest | DownloadModelRequest


class Server:
    """Holds the warm model between requests."""

    def __init__(self, stream: MessageStream, lifeline: Lifeline) -> None:
        self._stream = stream
        self._lifeline = lifeline
        self._commands: _ModelCommands | None = None
        self._vllm: WarmVllm | None = None

    def serve(self, request: Request) -> None:
        """Run one request to its `result` message.

        Raises:
            SticflowError: What the owner is told; the process ends after it.
            Stopped: SIGTERM came.
        """
        reporter = Reporter(self._stream, request.request_id)
        if isinstance(request, DownloadModelRequest):
            from sticflow_ml.download_model import download_model

            download_model(request, reporter)
        elif isinstance(request, InspectModelRequest):
            from sticflow_ml.inspect_model import inspect_model

            inspect_model(Path(request.path), reporter)
        elif isinstance(request, CompareFeaturesRequest):
            from sticflow_ml.compare_features import compare_features

            compare_features(request, reporter)
        else:
            self._work(request, reporter)

    def _work(self, request: WorkRequest, reporter: Reporter) -> None:
        timeout = request.lock_timeout_seconds
        with locked(
            Path(request.work_dir),
            attempt=request.attempt,
            timeout_seconds=timeout,
            on_wait=lambda: reporter.progress("waiting_for_lock", 0, timeout, "items"),
        ):
            if isinstance(request, GenerateRequest) and not isinstance(request.engine, HfEngine):
                self._generate_elsewhere(request, request.engine, reporter)
                return
            if self._vllm is not None:
                self._vllm.stop()  # it holds the device
            if self._commands is None:
                reporter.progress("loading", 0, 1, "items")
                self._commands = _ModelCommands()
            self._commands.run(request, reporter, self._lifeline)

    def _generate_elsewhere(
        self, request: GenerateRequest, engine: OpenAiEngine | VllmEngine, reporter: Reporter
    ) -> None:
        """Let a server write the texts; this process holds no model for it."""
        lifeline = self._lifeline
        if isinstance(engine, OpenAiEngine):
            from sticflow_ml.openai_engine import generate_by_endpoint

            generate_by_endpoint(request, engine, reporter=reporter, lifeline=lifeline)
            return
        reporter.progress("loading", 0, 1, "items")
        from sticflow_ml.vllm_engine import WarmVllm, generate_by_vllm

        if self._vllm is None:
            self._vllm = WarmVllm()
        generate_by_vllm(request, engine, warm=self._vllm, reporter=reporter, lifeline=lifeline)


class _ModelCommands:
    """The commands that need a model, and the model that they left in memory."""

    def __init__(self) -> None:
        # Ten seconds of imports, on the first request only.
        from sticflow_ml.embed import embed
        from sticflow_ml.generate import generate
        from sticflow_ml.infused_training import train_infused
        from sticflow_ml.preference_training import train_preference
        from sticflow_ml.warm_policy import WarmPolicy

        self._embed = embed
        self._generate = generate
        self._train_preference = train_preference
        self._train_infused = train_infused
        self._warm = WarmPolicy()
        # What is imported stays: later collections need not look at it again.
        gc.freeze()

    def run(self, request: WorkRequest, reporter: Reporter, lifeline: Lifeline) -> None:
        import torch

        common = {"warm": self._warm, "reporter": reporter, "lifeline": lifeline}
        try:
            if isinstance(request, GenerateRequest):
                self._generate(request, **common)
            elif isinstance(request, EmbedRequest):
                self._embed(request, **common)
            elif isinstance(request, TrainPreferenceRequest):
                self._train_preference(request, **common)
            else:
                self._train_infused(request, **common)
        except torch.OutOfMemoryError as error:
            raise SticflowError(
                "OutOfMemory",
                f"Expected the work to fit into the memory of the device, got: {error}. Free the "
                "device, or lower micro_batch_size, batch_size or max_length.",
            ) from error
