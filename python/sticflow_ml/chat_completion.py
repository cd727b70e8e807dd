"""From a generation request to a chat completion and back: the same records as every other engine.

Pure. What an endpoint may answer and what becomes of it is decided here; a text is what the model wrote
or there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sticflow_ml.contract import Generation, GenerationRequest
from sticflow_ml.endpoint_client import Unusable
from sticflow_ml.errors import SticflowError


@dataclass(frozen=True)
class Expected:
    """What an answer has to say.

    Args:
        model: Name in the answer.
        on_refusal: `fail`, or `empty` for a record with an empty text.
    """

    model: str
    on_refusal: Literal["fail", "empty"]


@dataclass(frozen=True)
class Answered:
    """A text, and whether it is empty because the endpoint refused."""

    generation: Generation
    is_refused: bool


def completion_body(
    request: GenerationRequest, *, image_url: str | None, model: str
) -> dict[str, Any]:
    """Body of `POST /chat/completions`: one user turn, the image first, as in training.

    `image_url` is None for a prompt of text alone.
    """
    image = [] if image_url is None else [{"type": "image_url", "image_url": {"url": image_url}}]
    return {
        "model": model,
        "messages": [
            {
                "role": "user",
                "content": [*image, {"type": "text", "text": request.prompt}],
            }
        ],
        "temperature": request.temperature,
        # Said in full: a server may have other defaults.
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "max_tokens": request.max_new_tokens,
        "seed": request.seed,
        "n": 1,
        "stream": False,
    }


def read_completion(answer: Any, request: GenerationRequest, expected: Expected) -> Answered:
    """Make a record of an answer.

    Raises:
        Unusable: It has no choice, or is no completion at all: proxies and overloaded servers do that.
        SticflowError: `EndpointInvalid` when the answer is of another model, refused, or lacks what a
            record needs.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list):
        raise Unusable(f"an answer that is no chat completion: {str(answer)[:200]}")
    if not answer["choices"]:
        raise Unusable("a chat completion without choices")
    if answer.get("model") != expected.model:
        raise SticflowError(
            "EndpointInvalid",
            f"Expected an answer of the model `{expected.model}`, got one of "
            f"`{answer.get('model')}`. If that is the same model under another name, set "
            "generation.openai.reported_model to it.",
            request_id=request.request_id,
        )
    choice = answer["choices"][0]
    message = choice.get("message") or {}
    if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
        return _refused(choice, request, expected)
    return Answered(_generation(answer, choice, message, request), is_refused=False)


def _refused(choice: dict[str, Any], request: GenerationRequest, expected: Expected) -> Answered:
    if expected.on_refusal == "fail":
        raise SticflowError(
            "EndpointInvalid",
            f"Expected a text for {request.request_id}, but the endpoint refused it "
            f"(finish_reason {choice.get('finish_reason')}). Leave the image out, or set "
            "generation.openai.on_refusal to empty to record refused texts as empty.",
            request_id=request.request_id,
        )
    empty = Generation(request_id=request.request_id, text="", num_tokens=0, finish_reason="stop")
    return Answered(empty, is_refused=True)


def _generation(
    answer: dict[str, Any],
    choice: dict[str, Any],
    message: dict[str, Any],
    request: GenerationRequest,
) -> Generation:
    text, finish_reason = message.get("content"), choice.get("finish_reason")
    num_tokens = (answer.get("usage") or {}).get("completion_tokens")
    if not isinstance(text, str):
        raise _lacking(request, "text in message.content", text)
    if finish_reason not in ("stop", "length"):
        raise _lacking(request, "finish_reason stop or length", finish_reason)
    if not isinstance(num_tokens, int) or num_tokens < 0:
        raise _lacking(request, "a number in usage.completion_tokens", num_tokens)
    return Generation(
        request_id=request.request_id,
        text=text.strip(),
        num_tokens=num_tokens,
        finish_reason=finish_reason,
    )


def _lacking(request: GenerationRequest, expected: str, got: Any) -> SticflowError:
    return SticflowError(
        "EndpointInvalid",
        f"Expected {expected} in the answer to {request.request_id}, got {str(got)[:100]!r}. The "
        "endpoint has to speak OpenAI's chat completions; vLLM and SGLang do.",
        request_id=request.request_id,
    )
