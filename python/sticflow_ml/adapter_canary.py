"""Does an adapter act on the server that claims to serve it? Asked by log-probabilities.

Servers load adapters whose keys match none of their layers without an error and without an effect
(vLLM issues 34186, 48019). Text only: an adapter acts on the language model alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sticflow_ml.endpoint_client import EndpointClient
from sticflow_ml.errors import SticflowError

# Plain words of a description, so that an adapter trained on descriptions moves them.
CANARY_TEXT = (
    "The image shows a street with two red cars, a tall tree on the left and several people who "
    "wait in front of a small shop. In the background there are houses with white windows."
)


Flaw = Literal["base_differs", "adapter_ignored", "adapter_differs"]


@dataclass(frozen=True)
class Logps:
    """Log-probabilities of the tokens of the canary text behind the first, in nats.

    `adapter` is None where the policy is the base alone.
    """

    base: Sequence[float]
    adapter: Sequence[float] | None


def find_flaw(own: Logps, served: Logps, *, tolerance: float) -> Flaw | None:
    """Compare what a server says with what our own forward pass says of the same tokens.

    Args:
        own: Of `model.py` with PEFT.
        served: Of the server.
        tolerance: Bound of the mean absolute difference; kernels and rounding differ.

    Returns:
        None when the server has the base, and the adapter has an effect there and the right one.
    """
    if mean_difference(own.base, served.base) > tolerance:
        return "base_differs"
    if own.adapter is None or served.adapter is None:
        return None
    # An untrained adapter has no effect anywhere; any other may not be without one here.
    if list(served.adapter) == list(served.base) and list(own.adapter) != list(own.base):
        return "adapter_ignored"
    if mean_difference(own.adapter, served.adapter) > tolerance:
        return "adapter_differs"
    return None


def mean_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Mean absolute difference; (-1, -2) and (-1.5, -2.5) give .5."""
    assert len(first) == len(second), "log-probabilities of the same tokens"
    return sum(abs(a - b) for a, b in zip(first, second, strict=True)) / len(first)


async def served_logps(client: EndpointClient, model: str, token_ids: list[int]) -> list[float]:
    """Log-probabilities of the tokens of a prompt behind the first.

    Raises:
        SticflowError: `EndpointInvalid`, `EndpointUnavailable`.
    """
    entries = await prompt_logprobs(client, model, token_ids)
    try:
        return [
            float(entry[str(token_id)]["logprob"])
            for entry, token_id in zip(entries, token_ids[1:], strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SticflowError(
            "EndpointInvalid",
            f"Expected the log-probability of each of {len(token_ids) - 1} tokens of the canary "
            f"text, got {len(entries)} entries that lack some ({error}). Use a vLLM that answers "
            "prompt_logprobs as version 0.33 does.",
        ) from error


async def prompt_logprobs(
    client: EndpointClient, model: str, prompt: str | list[int]
) -> list[dict[str, Any]]:
    """What a server says of the tokens of a prompt behind the first (vLLM's `prompt_logprobs`).

    Args:
        client: Of the server.
        model: Name of base or adapter.
        prompt: Text, or token ids.

    Returns:
        A mapping a token, from token ids as text to `{"logprob": ...}`: the prompt's own token and
        the likeliest one.

    Raises:
        SticflowError: `EndpointInvalid`, `EndpointUnavailable`.
    """
    body = {
        "model": model,
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": 0,
        "prompt_logprobs": 1,
    }
    return await client.post("/completions", body, read=_entries, seed=0)


async def require_effect(client: EndpointClient, *, base: str, adapter: str) -> None:
    """Refuse an adapter that changes no log-probability of the canary text.

    Raises:
        SticflowError: `EndpointInvalid`.
    """
    without = await prompt_logprobs(client, base, CANARY_TEXT)
    with_adapter = await prompt_logprobs(client, adapter, CANARY_TEXT)
    if without != with_adapter:
        return
    raise SticflowError(
        "EndpointInvalid",
        f"Expected the adapter `{adapter}` to change the log-probabilities of `{base}`, but those "
        f"of all {len(without)} tokens are equal: the endpoint ignores it. Serve a merged "
        "checkpoint instead, or set generation.openai.adapter_canary to false if the adapter is "
        "untrained on purpose.",
        adapter=adapter,
    )


def _entries(answer: Any) -> list[dict[str, Any]]:
    try:
        entries = answer["choices"][0]["prompt_logprobs"][1:]  # nothing stands before the first
    except (KeyError, IndexError, TypeError):
        entries = []
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise SticflowError(
            "EndpointInvalid",
            "Expected prompt_logprobs in the completion of the endpoint, got none, so nobody can "
            "tell whether it uses the adapter. Serve with vLLM, or set "
            "generation.openai.adapter_canary to false and answer for it yourself.",
        )
    return entries
