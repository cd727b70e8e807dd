"""The model process: one per worker, kept warm, serving one request after another.

Started as `python -m sticflow_ml`. Requests come as lines of JSON on stdin, messages go out on fd 3,
logs to stderr. torch is imported when the first request needs it, so that the greeting comes fast.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback

from pydantic import ValidationError

from sticflow_ml.contract import ModelProcessRequest
from sticflow_ml.environment import ENVIRONMENT
from sticflow_ml.errors import (
    EXIT_FAILED,
    EXIT_MISUSED,
    EXIT_STOPPED,
    SticflowError,
    Stopped,
)
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.protocol import PROTOCOL_VERSION, MessageStream
from sticflow_ml.server import Server


def main() -> int:
    """Serve until stdin ends, SIGTERM comes or a request fails; return the exit code."""
    try:
        stream = MessageStream()
    except OSError:
        sys.stderr.write(
            "Expected file descriptor 3 to be open for messages: this program is started by a "
            "sticflow worker, not by hand.\n"
        )
        return EXIT_MISUSED
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    lifeline = Lifeline()
    lifeline.start()
    stream.hello()
    request_id: str | None = None
    server = Server(stream, lifeline)
    try:
        for line in lifeline.requests():
            request_id = None
            request = _parse(line)
            request_id = request.request_id
            server.serve(request)
    except Stopped:
        return EXIT_STOPPED
    except SticflowError as error:
        stream.error(request_id, error.code, str(error), error.details)
        return EXIT_FAILED
    except MemoryError as error:
        stream.error(request_id, "OutOfMemory", f"The host's memory did not suffice: {error}", {})
        return EXIT_FAILED
    except Exception as error:  # the border: whatever it is, the owner hears of it
        stack = traceback.format_exc()
        sys.stderr.write(stack)
        stream.error(
            request_id, "Internal", f"{type(error).__name__}: {error}", {"stack": stack[-8000:]}
        )
        return EXIT_FAILED
    return EXIT_STOPPED


def _parse(line: bytes):  # noqa: ANN202 - the union of all requests
    try:
        version = json.loads(line).get("protocol_version")
    except (ValueError, AttributeError):
        version = None
    if version != PROTOCOL_VERSION:
        raise SticflowError(
            "ProtocolMismatch",
            f"Expected requests of protocol version {PROTOCOL_VERSION}, got {version}. Worker and "
            "python/sticflow_ml must come from the same release.",
        )
    try:
        return ModelProcessRequest.model_validate_json(line).root
    except ValidationError as error:
        raise SticflowError(
            "Internal", f"Expected a request as contract/model-process.ts has it, got: {error}"
        ) from error


if __name__ == "__main__":
    # Not sys.exit: threads of torch or a blocked read of stdin must not hold the process up.
    code = main()
    sys.stderr.flush()
    os._exit(code)
