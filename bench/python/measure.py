"""Wall time and peak memory of one piece of work on the CPU or on a CUDA device."""

from __future__ import annotations

import ctypes
import gc
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What one piece of work took.

    `cpu_seconds` sums over threads and does not count waiting for a busy machine; `peak_bytes` is on
    top of what was held before.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measured(work: Callable[[], T], *, device: str) -> tuple[T, Cost]:
    """Run `work` and measure it.

    On CUDA the peak is of torch's allocator, on the CPU of the process (Linux: VmHWM, reset before).
    """
    gc.collect()
    before = _start_cuda() if device == "cuda" else _start_cpu()
    started, cpu_started = time.perf_counter(), time.process_time()
    result = work()
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    cpu_seconds = time.process_time() - cpu_started
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else _memory("VmHWM")
    return result, Cost(seconds, cpu_seconds, peak - before)


def device_name(device: str) -> str:
    """Name of the device for a report."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{model[1] if model else 'CPU'}, {torch.get_num_threads()} threads"


def summary(costs: list[Cost]) -> dict[str, Any]:
    """Median time with its range, and the highest peak."""
    seconds = sorted(cost.seconds for cost in costs)
    return {
        "seconds": round(seconds[len(seconds) // 2], 4),
        "seconds_range": [round(seconds[0], 4), round(seconds[-1], 4)],
        "cpu_seconds": round(sorted(cost.cpu_seconds for cost in costs)[len(costs) // 2], 4),
        "peak_mib": round(max(cost.peak_bytes for cost in costs) / 2**20, 1),
    }


def median_ratio(
    slow: list[Cost], fast: list[Cost], of: Callable[[Cost], float] = lambda cost: cost.seconds
) -> float:
    """Median over the rounds of how many times longer `slow` took; pairs share a round's noise."""
    ratios = sorted(of(one) / of(other) for one, other in zip(slow, fast, strict=True))
    return round(ratios[len(ratios) // 2], 3)


def fastest_ratio(slow: list[Cost], fast: list[Cost]) -> float:
    """How many times longer the fastest round of `slow` took: what else runs can only add time."""
    return round(min(one.seconds for one in slow) / min(one.seconds for one in fast), 3)


def cpu_seconds(cost: Cost) -> float:
    """For `median_ratio`: a figure that other work on the machine disturbs less."""
    return cost.cpu_seconds


def _start_cuda() -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _start_cpu() -> int:
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew (proc(5))
    return _memory("VmRSS")


def _memory(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "Linux names it in /proc/self/status"
    return int(found[1]) * 1024
