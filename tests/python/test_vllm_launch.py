"""How vLLM is started, and what the canary makes of its answers: pure functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vllm_engine_request import engine_for

from sticflow_ml.adapter_canary import Logps, find_flaw, mean_difference
from sticflow_ml.contract import VllmEngine
from sticflow_ml.errors import SticflowError
from sticflow_ml.vllm_server import Launch, allowed_rank, serve_arguments, serve_environment


def launch(**changes: Any) -> Launch:
    engine = VllmEngine(**engine_for(Path("/opt/vllm"), **changes))
    return Launch(engine=engine, model_path="/models/llava", dtype="bfloat16", lora_rank=128)


def test_the_command_line_is_a_function_of_the_config() -> None:
    arguments = serve_arguments(launch(max_model_len=4096, tensor_parallel_size=2), 8001)

    assert arguments[:3] == ["/opt/vllm/bin/vllm", "serve", "/models/llava"]
    options = " ".join(arguments[3:])
    assert options == (
        "--host 127.0.0.1 --port 8001 --served-model-name base --dtype bfloat16 --seed 0 "
        '--generation-config vllm --limit-mm-per-prompt {"image": 1} --enable-prefix-caching '
        "--tensor-parallel-size 2 --gpu-memory-utilization 0.9 --max-model-len 4096 "
        "--enable-lora --max-lora-rank 128 --max-loras 1 --max-cpu-loras 4"
    )


@pytest.mark.parametrize(("rank", "allowed"), [(1, 1), (4, 8), (17, 32), (128, 128), (300, 320)])
def test_the_largest_rank_is_raised_to_what_vllm_takes(rank: int, allowed: int) -> None:
    assert allowed_rank(rank) == allowed


def test_a_rank_that_vllm_cannot_serve_is_refused() -> None:
    with pytest.raises(SticflowError, match="at most 512 for vLLM, got 513"):
        allowed_rank(513)


def test_the_environment_of_the_server_is_its_own() -> None:
    parent = {"PATH": "/bin", "PYTHONPATH": "/ours", "PYTHONHASHSEED": "0", "HOME": "/root"}

    plain = serve_environment(parent, api_key="k", batch_invariant=False)
    invariant = serve_environment(parent, api_key="k", batch_invariant=True)

    assert {name for name in plain if name.startswith("PYTHON")} == set()
    assert plain["HOME"] == "/root"
    assert plain["VLLM_API_KEY"] == "k"
    assert invariant == {**plain, "VLLM_BATCH_INVARIANT": "1"}


@pytest.mark.parametrize(
    ("base", "served_adapter", "flaw"),
    [
        ([-1.05, -2.05], [-1.55, -2.45], None),
        ([-1.5, -2.5], [-1.55, -2.45], "base_differs"),
        ([-1.05, -2.05], [-1.05, -2.05], "adapter_ignored"),
        ([-1.05, -2.05], [-1.2, -2.1], "adapter_differs"),
    ],
)
def test_the_canary_names_the_flaw(
    base: list[float], served_adapter: list[float], flaw: str | None
) -> None:
    own = Logps(base=[-1, -2], adapter=[-1.5, -2.5])

    assert find_flaw(own, Logps(base=base, adapter=served_adapter), tolerance=0.1) == flaw


def test_an_adapter_too_weak_for_the_tolerance_still_has_to_act() -> None:
    # After a training with a learning rate of 1e-7 the effect is far below any tolerance.
    own = Logps(base=[-1, -2], adapter=[-1.0001, -2])

    ignored = Logps(base=[-1.01, -2.01], adapter=[-1.01, -2.01])
    acting = Logps(base=[-1.01, -2.01], adapter=[-1.0102, -2.01])

    assert find_flaw(own, ignored, tolerance=0.1) == "adapter_ignored"
    assert find_flaw(own, acting, tolerance=0.1) is None


def test_an_untrained_adapter_need_not_act() -> None:
    own = Logps(base=[-1, -2], adapter=[-1, -2])

    assert find_flaw(own, Logps(base=[-1, -2], adapter=[-1, -2]), tolerance=0.1) is None


def test_differences_are_means_of_absolute_values() -> None:
    assert mean_difference([-1, -2, -3], [-1.5, -1.5, -3]) == pytest.approx(1 / 3)
