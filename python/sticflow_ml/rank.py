"""A rank other than the first: runs one training request beside the model process that started it.

Started as `python -m sticflow_ml.rank` by rank_processes.py. The request comes as a line of JSON on stdin, whose
end is the end of this process; stdout takes one line when it fails. It writes no files and tells nothing
else: that is rank 0's.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
from typing import Any

from pydantic import BaseModel

from sticflow_ml.contract import ModelProcessRequest, TrainInfusedRequest, TrainPreferenceRequest
from sticflow_ml.environment import ENVIRONMENT
from sticflow_ml.errors import EXIT_FAILED, SticflowError
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.protocol import Reporter

# What fails because another rank has died must not be heard before the death itself is seen.
SECONDS_BEFORE_BLAME = 2


def main() -> int:
    """Train along to the end; return the exit code."""
    answer = os.dup(1)
    os.dup2(2, 1)  # a stray `print` of a library lands in the log
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    lifeline = Lifeline()
    lifeline.start()
    # The whole group gets it; rank 0 decides at which step all of them stop.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        _train_along(json.loads(next(lifeline.requests())), lifeline)
    except SticflowError as error:
        _say(answer, error.code, str(error), error.details)
        return EXIT_FAILED
    except Exception as error:  # the border: rank 0 hears of it, whatever it is
        sys.stderr.write(traceback.format_exc())
        time.sleep(SECONDS_BEFORE_BLAME)
        _say(answer, "Internal", f"{type(error).__name__}: {error}", {})
        return EXIT_FAILED
    return 0


class _Silence:
    """Takes the messages that rank 0 sends in its own words."""

    def send(self, message: BaseModel) -> None:
        del message


def _train_along(call: dict[str, Any], lifeline: Lifeline) -> None:
    # Seconds of imports, after the lifeline is tied.
    from sticflow_ml.infused_training import train_infused
    from sticflow_ml.preference_training import train_preference
    from sticflow_ml.ranks import join
    from sticflow_ml.warm_policy import WarmPolicy

    request = ModelProcessRequest.model_validate(call["request"]).root
    reporter = Reporter(_Silence(), request.request_id)
    world = join(call)
    common = {"warm": WarmPolicy(), "reporter": reporter, "lifeline": lifeline, "world": world}
    if isinstance(request, TrainPreferenceRequest):
        train_preference(request, **common)
    else:
        assert isinstance(request, TrainInfusedRequest), "only trainings have ranks"
        train_infused(request, **common)


def _say(answer: int, code: str, message: str, details: dict[str, Any]) -> None:
    line = json.dumps({"code": code, "message": message, "details": details}, default=str)
    os.write(answer, line.encode() + b"\n")


if __name__ == "__main__":
    # Not sys.exit: threads of torch or a blocked read of stdin must not hold the process up.
    exit_code = main()
    sys.stderr.flush()
    os._exit(exit_code)
