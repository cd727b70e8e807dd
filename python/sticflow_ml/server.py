"""Serve one request: lock its work folder, run the command, keep or drop the model."""

from __future__ import annotations

from pathlib import Path

import torch

from sticflow_ml.adapters import WarmPolicy
from sticflow_ml.contract import (
    DownloadModelRequest,
    GenerateRequest,
    InspectModelRequest,
    TrainInfusedRequest,
    TrainPreferenceRequest,
)
from sticflow_ml.download_model import download_model
from sticflow_ml.errors import SticflowError
from sticflow_ml.generate import generate
from sticflow_ml.infused_training import train_infused
from sticflow_ml.inspect_model import inspect_model
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.preference_training import train_preference
from sticflow_ml.protocol import MessageStream, Reporter
from sticflow_ml.work_folder import locked

WorkRequest = GenerateRequest | TrainPreferenceRequest | TrainInfusedRequest
Request = WorkRequest | InspectModelRequest | DownloadModelRequest


class Server:
    """Holds the warm model between requests."""

    def __init__(self, stream: MessageStream, lifeline: Lifeline) -> None:
        self._stream = stream
        self._lifeline = lifeline
        self._policy = WarmPolicy()

    def serve(self, request: Request) -> None:
        """Run one request to its `result` message.

        Raises:
            SticflowError: What the owner is told; the process ends after it.
            Stopped: SIGTERM came.
        """
        reporter = Reporter(self._stream, request.request_id)
        try:
            if isinstance(request, WorkRequest):
                self._work(request, reporter)
            else:
                self._about_models(request, reporter)
        except torch.OutOfMemoryError as error:
            raise SticflowError(
                "OutOfMemory",
                f"Expected the model to fit into the memory of the device, got: {error}. Free the "
                "device, or use a smaller model.dtype.",
            ) from error

    def _work(self, request: WorkRequest, reporter: Reporter) -> None:
        timeout = request.lock_timeout_seconds
        with locked(
            Path(request.work_dir),
            attempt=request.attempt,
            timeout_seconds=timeout,
            on_wait=lambda: reporter.progress("waiting_for_lock", 0, timeout, "items"),
        ):
            if isinstance(request, GenerateRequest):
                generate(request, policy=self._policy, reporter=reporter, lifeline=self._lifeline)
            elif isinstance(request, TrainPreferenceRequest):
                train_preference(
                    request, warm=self._policy, reporter=reporter, lifeline=self._lifeline
                )
            else:
                train_infused(
                    request, warm=self._policy, reporter=reporter, lifeline=self._lifeline
                )

    def _about_models(
        self, request: InspectModelRequest | DownloadModelRequest, reporter: Reporter
    ) -> None:
        if isinstance(request, InspectModelRequest):
            inspect_model(Path(request.path), reporter)
        else:
            download_model(request, reporter)
