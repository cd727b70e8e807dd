"""`generate` by a vLLM server that we start, warm between requests, asked as any other endpoint.

Before it writes a text it has to prove itself: the base and the policy's adapter are compared with our
own forward pass. An adapter that does not act there as it should is served merged into a temporary
checkpoint, which is recorded, or is an error; the base never answers in its place.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sticflow_ml.adapter_canary import Flaw, Logps, find_flaw, mean_difference, served_logps
from sticflow_ml.chat_completion import Expected
from sticflow_ml.contract import AdapterSpec, GenerateRequest, VllmEngine
from sticflow_ml.endpoint_client import EndpointClient
from sticflow_ml.endpoint_shard import EndpointShard, Target, together
from sticflow_ml.errors import SticflowError
from sticflow_ml.generation_files import GenerationFiles
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.own_logps import Yardstick, write_merged, yardstick
from sticflow_ml.protocol import Reporter
from sticflow_ml.served_models import load_adapter, served_models
from sticflow_ml.vllm_server import BASE_NAME, Launch, VllmServer
from sticflow_ml.work_folder import read_json

PolicyKey = tuple[str, str | None]


class WarmVllm:
    """The server between requests, and what was found out about the policies that it served."""

    def __init__(self) -> None:
        self._server: VllmServer | None = None
        self.version = ""
        self.yardsticks: dict[PolicyKey, Yardstick] = {}
        self._proofs: dict[PolicyKey, _Proof] = {}

    async def serve(self, launch: Launch, reporter: Reporter) -> VllmServer:
        """The server of a launch: the one that runs, or another in its place.

        Raises:
            SticflowError: `EndpointUnavailable`, `EndpointInvalid`.
        """
        if self._server is not None and self._runs(launch):
            return self._server
        self.stop()
        self._server = VllmServer(launch)
        self.version = await self._server.until_ready(reporter)
        return self._server

    def remember(self, key: PolicyKey, proof: _Proof) -> None:
        """Keep a proof as long as the server that gave it runs."""
        self._proofs[key] = proof

    def proof(self, key: PolicyKey) -> _Proof | None:
        """The proof of a policy by the server that runs."""
        proof = self._proofs.get(key)
        return proof if proof is not None and self._runs(proof.launch) else None

    def stop(self) -> None:
        """End the server; its adapters go with it."""
        if self._server is not None:
            self._server.stop()
        self._server = None
        self._proofs = {}

    def _runs(self, launch: Launch) -> bool:
        server = self._server
        return server is not None and server.launch == launch and server.is_alive


@dataclass(frozen=True)
class _Proof:
    """How a policy is served and what the canary measured."""

    launch: Launch
    model: str
    is_merged: bool
    flaw: Flaw | None
    measured: dict[str, float]


def generate_by_vllm(
    request: GenerateRequest,
    engine: VllmEngine,
    *,
    warm: WarmVllm,
    reporter: Reporter,
    lifeline: Lifeline,
) -> None:
    """Write `output/generations.jsonl` and `output/generation.json` and report the result.

    Raises:
        SticflowError: `EndpointInvalid`, `EndpointUnavailable`, `ModelInvalid`, `DataInvalid`,
            `DiskFull`.
        Stopped: SIGTERM came; finished texts are kept.
    """
    knobs = {
        "engine": "vllm",
        "dtype": request.model.dtype,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "max_model_len": engine.max_model_len,
        "batch_invariant": engine.batch_invariant,
        "canary_tolerance": engine.canary_tolerance,
    }
    files = GenerationFiles(request, knobs, reporter=reporter)
    if not files.is_finished:
        shard = EndpointShard(
            request,
            files,
            max_concurrency=engine.client.max_concurrency,
            reporter=reporter,
            lifeline=lifeline,
        )
        run = _Run(request, engine, shard, warm=warm, reporter=reporter)
        asyncio.run(together([run.write()], lifeline))
    files.report()


class _Run:
    def __init__(
        self,
        request: GenerateRequest,
        engine: VllmEngine,
        shard: EndpointShard,
        *,
        warm: WarmVllm,
        reporter: Reporter,
    ) -> None:
        self._request = request
        self._engine = engine
        self._shard = shard
        self._warm = warm
        self._reporter = reporter
        adapter = request.adapter
        self._key = (request.model.sha256, None if adapter is None else adapter.sha256)

    async def write(self) -> None:
        proof = self._warm.proof(self._key) or await self._prove()
        server = await self._warm.serve(proof.launch, self._reporter)
        async with server.client(self._shard.tell) as client:
            if self._request.adapter is not None and not proof.is_merged:
                await _have_adapter(client, self._request.adapter)
            await self._shard.write(client, self._target(proof))

    async def _prove(self) -> _Proof:
        """Find a way to serve the policy that the canary does not object to."""
        own = self._yardstick()
        launch = Launch(
            engine=self._engine,
            model_path=self._request.model.path,
            dtype=self._request.model.dtype,
            lora_rank=self._lora_rank(),
        )
        proof = await self._ask_canary(launch, own)
        if proof.flaw is not None:
            proof = await self._merge(proof, own)
        self._warm.remember(self._key, proof)
        return proof

    def _yardstick(self) -> Yardstick:
        if self._key not in self._warm.yardsticks:
            self._warm.yardsticks[self._key] = yardstick(
                self._request.model, self._request.adapter, self._reporter
            )
        return self._warm.yardsticks[self._key]

    def _lora_rank(self) -> int:
        if self._request.adapter is None:
            return self._engine.max_lora_rank
        config = read_json(Path(self._request.adapter.path) / "adapter_config.json")
        return max(self._engine.max_lora_rank, int(config["r"]))

    async def _ask_canary(self, launch: Launch, own: Yardstick) -> _Proof:
        adapter = self._request.adapter
        server = await self._warm.serve(launch, self._reporter)
        async with server.client(lambda: None) as client:
            base = await served_logps(client, BASE_NAME, own.token_ids)
            adapted = None
            if adapter is not None:
                await _have_adapter(client, adapter)
                adapted = await served_logps(client, adapter.sha256, own.token_ids)
        served = Logps(base=base, adapter=adapted)
        return _Proof(
            launch=launch,
            model=BASE_NAME if adapter is None else adapter.sha256,
            is_merged=False,
            flaw=find_flaw(own.logps, served, tolerance=self._engine.canary_tolerance),
            measured=_measured(own.logps, served),
        )

    async def _merge(self, failed: _Proof, own: Yardstick) -> _Proof:
        """Serve base and adapter as one checkpoint, and hold it against the same yardstick."""
        adapter = self._request.adapter
        if (
            adapter is None
            or failed.flaw == "base_differs"
            or self._engine.on_canary_failure == "fail"
        ):
            raise self._failure(failed)
        self._reporter.notice("adapter_merged", f"the canary found {failed.flaw}")
        folder = Path(self._request.work_dir) / "merged"
        write_merged(self._request.model, adapter, folder, reporter=self._reporter)
        launch = replace(failed.launch, model_path=str(folder), lora_rank=None)
        server = await self._warm.serve(launch, self._reporter)
        async with server.client(lambda: None) as client:
            served = await served_logps(client, BASE_NAME, own.token_ids)
        assert own.logps.adapter is not None, "a policy with an adapter has a yardstick for it"
        merged = Logps(base=own.logps.adapter, adapter=None)
        reached = Logps(base=served, adapter=None)
        flaw = find_flaw(merged, reached, tolerance=self._engine.canary_tolerance)
        measured = _measured(merged, reached)
        proof = _Proof(launch, BASE_NAME, is_merged=True, flaw=failed.flaw, measured=measured)
        if flaw is not None:
            raise self._failure(replace(proof, flaw=flaw))
        return proof

    def _failure(self, proof: _Proof) -> SticflowError:
        place = "merged checkpoint" if proof.is_merged else "base with the adapter beside it"
        return SticflowError(
            "EndpointInvalid",
            f"Expected vLLM {self._warm.version} to agree with our own forward pass within "
            f"{self._engine.canary_tolerance:g} nats a token, but its canary found {proof.flaw} on "
            f"the {place} ({proof.measured}). Use generation.engine hf, another vLLM, or, where "
            "that difference is all right, a larger generation.vllm.canary.tolerance.",
            flaw=proof.flaw,
        )

    def _target(self, proof: _Proof) -> Target:
        adapter_mode = "none" if self._request.adapter is None else "served"
        deviations: list[dict[str, Any]] = [
            {
                "name": "image_backend",
                "detail": "images are resized by the processor that vLLM chooses",
            }
        ]
        if not self._engine.batch_invariant:
            deviations.append(
                {"name": "batch_variant", "detail": "a text may depend on what else is under way"}
            )
        if proof.is_merged:
            adapter_mode = "merged"
            deviations.append({"name": "adapter_merged", "detail": f"the canary: {proof.flaw}"})
        return Target(
            model=proof.model,
            expected=Expected(model=proof.model, on_refusal="fail"),
            facts={
                "versions": {"vllm": self._warm.version},
                "adapter_mode": adapter_mode,
                "chat_template": "checkpoint",
                "image_mode": "stored PNG as data URL; processor of the checkpoint, by vLLM",
                "tokens_counted_by": "endpoint",
                "canary": proof.measured,
            },
            deviations=tuple(deviations),
        )


async def _have_adapter(client: EndpointClient, adapter: AdapterSpec) -> None:
    if adapter.sha256 not in await served_models(client):
        await load_adapter(client, adapter.sha256, adapter.path)


def _measured(own: Logps, served: Logps) -> dict[str, float]:
    """Mean differences in nats a token, as far as they are worth recording."""
    measured = {"base": round(mean_difference(own.base, served.base), 4)}
    if own.adapter is not None and served.adapter is not None:
        measured["adapter"] = round(mean_difference(own.adapter, served.adapter), 4)
        measured["effect"] = round(mean_difference(served.base, served.adapter), 4)
    return measured
