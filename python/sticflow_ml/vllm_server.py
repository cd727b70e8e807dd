"""Start `vllm serve` from an environment of its own, and end it.

The server listens on the loopback address with a key that nobody else has. It is started through
`tethered.py`, so that it cannot outlive this process, in whatever way this one ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from sticflow_ml.contract import VllmEngine
from sticflow_ml.endpoint_client import EndpointClient
from sticflow_ml.errors import SticflowError
from sticflow_ml.protocol import Reporter

# vLLM's MaxLoRARanks (vllm/config/lora.py, 0.27); its default of 16 refuses the paper's 128.
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
BASE_NAME = "base"
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Launch:
    """What a server is started for; another launch needs another server.

    Args:
        engine: Knobs of the config.
        model_path: Checkpoint folder: the base, or a merged one.
        dtype: As torch spells it.
        lora_rank: Largest rank of an adapter; None = it takes none.
    """

    engine: VllmEngine
    model_path: str
    dtype: str
    lora_rank: int | None


def serve_arguments(launch: Launch, port: int) -> list[str]:
    """Command line of the server, program first."""
    engine = launch.engine
    arguments = [
        str(Path(engine.environment) / "bin" / "vllm"),
        "serve",
        launch.model_path,
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--served-model-name", BASE_NAME),
        *("--dtype", launch.dtype),
        *("--seed", "0"),
        # Else the checkpoint's generation_config.json would change how a text is drawn.
        *("--generation-config", "vllm"),
        *("--limit-mm-per-prompt", json.dumps({"image": 1})),
        # The prompts of an image follow one another: image and prefix are computed once.
        "--enable-prefix-caching",
        *("--tensor-parallel-size", str(engine.tensor_parallel_size)),
        *("--gpu-memory-utilization", str(engine.gpu_memory_utilization)),
    ]
    if engine.max_model_len is not None:
        arguments += ["--max-model-len", str(engine.max_model_len)]
    if launch.lora_rank is not None:
        rank = str(allowed_rank(launch.lora_rank))
        # One adapter acts in a batch; those of earlier policies wait on the host.
        arguments += ["--enable-lora", "--max-lora-rank", rank]
        arguments += ["--max-loras", "1", "--max-cpu-loras", "4"]
    return arguments


def allowed_rank(rank: int) -> int:
    """Smallest rank that vLLM can be started with and that holds an adapter of `rank`.

    Raises:
        SticflowError: `EndpointInvalid` above the largest.
    """
    for allowed in LORA_RANKS:
        if allowed >= rank:
            return allowed
    raise SticflowError(
        "EndpointInvalid",
        f"Expected a LoRA rank of at most {LORA_RANKS[-1]} for vLLM, got {rank}. Set lora.r lower, "
        "or generation.engine to hf.",
    )


def serve_environment(
    parent: Mapping[str, str], *, api_key: str, batch_invariant: bool
) -> dict[str, str]:
    """Environment of the server: this process's own, which holds no secret, and vLLM's switches."""
    # Our packages are not those of its environment.
    own = {name: value for name, value in parent.items() if not name.startswith("PYTHON")}
    return {
        **own,
        "HF_HUB_OFFLINE": "1",
        "VLLM_API_KEY": api_key,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        **({"VLLM_BATCH_INVARIANT": "1"} if batch_invariant else {}),
    }


class VllmServer:
    """A server that was started; use `until_ready` before asking it."""

    def __init__(self, launch: Launch) -> None:
        """Start the program.

        Raises:
            SticflowError: `EndpointInvalid` when there is none in the environment.
        """
        self.launch = launch
        self._api_key = secrets.token_hex(16)
        self._port = _free_port()
        arguments = serve_arguments(launch, self._port)
        if not os.access(arguments[0], os.X_OK):
            raise SticflowError(
                "EndpointInvalid",
                f"Expected vLLM at {arguments[0]}, there is nothing to run. Make the environment "
                "with: python -m venv PATH && PATH/bin/pip install vllm, and set "
                "generation.vllm.environment to PATH.",
            )
        self._process = subprocess.Popen(
            # Isolated: neither our modules nor a PYTHONPATH are passed on.
            [sys.executable, "-I", str(Path(__file__).with_name("tethered.py")), *arguments],
            stdin=subprocess.PIPE,
            stdout=2,  # logs, like everything that is no message
            env=serve_environment(
                os.environ, api_key=self._api_key, batch_invariant=launch.engine.batch_invariant
            ),
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """False once the program has ended."""
        return self._process.poll() is None

    def client(self, on_attempt: Callable[[], None]) -> EndpointClient:
        """A client that has the key."""
        return EndpointClient(
            f"http://127.0.0.1:{self._port}/v1",
            self._api_key,
            self.launch.engine.client,
            config_key="generation.vllm",
            trusts_environment=False,
            on_attempt=on_attempt,
        )

    async def until_ready(self, reporter: Reporter) -> str:
        """Wait until it answers.

        Returns:
            Its version.

        Raises:
            SticflowError: `EndpointUnavailable` when it ends or takes longer than the config allows.
        """
        limit = self.launch.engine.startup_timeout_seconds
        started = time.monotonic()
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self._port}", timeout=5, trust_env=False
        ) as http:
            while (elapsed := time.monotonic() - started) < limit:
                if not self.is_alive:
                    raise SticflowError(
                        "EndpointUnavailable",
                        "Expected vLLM to start, but it ended with exit code "
                        f"{self._process.returncode}. Its last lines are in the log of this process.",
                    )
                # The limit above ends a start that hangs: the watchdog need not.
                reporter.progress("loading", elapsed, limit, "items")
                try:
                    if (await http.get("/health")).status_code == 200:
                        return str((await http.get("/version")).json()["version"])
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self.stop()
        raise SticflowError(
            "EndpointUnavailable",
            f"Expected vLLM to be ready within {limit:g} seconds, it is not. Raise "
            "generation.vllm.startup_timeout_seconds, or look into the log of this process.",
        )

    def stop(self) -> None:
        """End it and everything it started, and wait until the device is free."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
