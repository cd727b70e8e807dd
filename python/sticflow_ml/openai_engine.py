"""`generate` by an endpoint of the user's: any OpenAI-compatible server that takes images.

The endpoint is checked before it is asked for a text: it has to list the model, and a policy with an
adapter needs one that serves this adapter and on which the adapter has an effect. The base never
answers in its place.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sticflow_ml.adapter_canary import require_effect
from sticflow_ml.chat_completion import Expected
from sticflow_ml.contract import GenerateRequest, OpenAiEngine
from sticflow_ml.endpoint_client import EndpointClient
from sticflow_ml.endpoint_shard import EndpointShard, Target, together
from sticflow_ml.errors import SticflowError
from sticflow_ml.generation_files import GenerationFiles
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.protocol import Reporter
from sticflow_ml.secret import read_secret
from sticflow_ml.served_models import load_adapter, served_models


def generate_by_endpoint(
    request: GenerateRequest, engine: OpenAiEngine, *, reporter: Reporter, lifeline: Lifeline
) -> None:
    """Write `output/generations.jsonl` and `output/generation.json` and report the result.

    Raises:
        SticflowError: `EndpointInvalid`, `EndpointUnavailable`, `DataInvalid`, `DiskFull`.
        Stopped: SIGTERM came; finished texts are kept.
    """
    knobs = {
        "engine": "openai",
        "endpoint": engine.base_url,
        "model": engine.model,
        "adapter_model": engine.adapter_model,
        "reported_model": engine.reported_model,
        "on_refusal": engine.on_refusal,
    }
    files = GenerationFiles(request, knobs, reporter=reporter)
    if not files.is_finished:
        asyncio.run(_write(request, engine, files, reporter=reporter, lifeline=lifeline))
    files.report()


async def _write(
    request: GenerateRequest,
    engine: OpenAiEngine,
    files: GenerationFiles,
    *,
    reporter: Reporter,
    lifeline: Lifeline,
) -> None:
    shard = EndpointShard(
        request,
        files,
        max_concurrency=engine.client.max_concurrency,
        reporter=reporter,
        lifeline=lifeline,
    )
    api_key = None if engine.api_key is None else read_secret(engine.api_key)
    async with EndpointClient(
        engine.base_url,
        api_key,
        engine.client,
        config_key="generation.openai",
        on_attempt=shard.tell,
    ) as client:
        found: list[Target] = []

        async def find() -> None:
            found.append(await _target(request, engine, client))

        await together([find()], lifeline)
        await shard.write(client, found[0])


async def _target(request: GenerateRequest, engine: OpenAiEngine, client: EndpointClient) -> Target:
    """Find the policy on the endpoint.

    Raises:
        SticflowError: `EndpointInvalid` when it is not there, or has no effect.
    """
    facts: dict[str, Any] = {
        "chat_template": "endpoint",
        "image_mode": "stored PNG as data URL; resized by the endpoint",
        "tokens_counted_by": "endpoint",
    }
    if request.adapter is None:
        await _require_served(client, engine.model, "model")
        reported = engine.reported_model or engine.model
        return _as_target(engine, engine.model, reported, {**facts, "adapter_mode": "none"})
    if engine.adapter_model is None:
        raise SticflowError(
            "EndpointInvalid",
            f"Expected an endpoint that serves the adapter {request.adapter.sha256[:12]}, but "
            "generation.openai.adapter_model is null, and the base must not answer in its place. "
            'Set adapter_model to the name that the endpoint gives an adapter, such as "{sha256}".',
        )
    name = engine.adapter_model.replace("{sha256}", request.adapter.sha256)
    if engine.load_adapters and name not in await served_models(client):
        await load_adapter(client, name, request.adapter.path)
    await _require_served(client, name, "adapter_model")
    canary = "off"
    if engine.adapter_canary:
        await _require_served(client, engine.model, "model")
        await require_effect(client, base=engine.model, adapter=name)
        canary = "passed"
    facts |= {"adapter_mode": "served", "adapter_canary": canary}
    return _as_target(engine, name, name, facts)


def _as_target(engine: OpenAiEngine, model: str, reported: str, facts: dict[str, Any]) -> Target:
    expected = Expected(model=reported, on_refusal=engine.on_refusal)
    deviation = {
        "name": "endpoint_decides",
        "detail": "chat template, image size, precision and random numbers are the endpoint's",
    }
    return Target(
        model=model,
        expected=expected,
        facts={**facts, "asked_model": model},
        deviations=(deviation,),
    )


async def _require_served(client: EndpointClient, name: str, key: str) -> None:
    names = await served_models(client)
    if name in names:
        return
    raise SticflowError(
        "EndpointInvalid",
        f"Expected the endpoint {client.host} to serve `{name}`, it serves: "
        f"{', '.join(names[:20]) or '(nothing)'}. Correct generation.openai.{key}, or serve it "
        "(vLLM: --served-model-name, --lora-modules NAME=PATH).",
        model=name,
    )
