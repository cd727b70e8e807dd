"""What a server serves, and how an adapter gets onto it (vLLM's runtime loading)."""

from __future__ import annotations

from typing import Any

from sticflow_ml.endpoint_client import EndpointClient, Unusable
from sticflow_ml.errors import SticflowError


async def served_models(client: EndpointClient) -> list[str]:
    """Names that `GET /models` lists.

    Raises:
        SticflowError: `EndpointUnavailable`, `EndpointInvalid`.
    """
    return await client.get("/models", read=_names)


async def load_adapter(client: EndpointClient, name: str, path: str) -> None:
    """Have a vLLM server with VLLM_ALLOW_RUNTIME_LORA_UPDATING load an adapter folder under a name.

    Raises:
        SticflowError: `EndpointInvalid` when the server does not, or cannot see the folder.
    """
    body = {"lora_name": name, "lora_path": path}
    try:
        # vLLM answers with a sentence.
        await client.ask("POST", "/load_lora_adapter", body, read=lambda answer: answer, seed=0)
    except SticflowError:
        # It is refused a second time when the answer to the first was lost.
        if name not in await served_models(client):
            raise


def _names(answer: Any) -> list[str]:
    try:
        return [str(model["id"]) for model in answer["data"]]
    except (KeyError, TypeError) as error:
        raise Unusable(f"an answer that is no list of models: {str(answer)[:200]}") from error
