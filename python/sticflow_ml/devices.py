"""Which device a model is on, how much memory it has, and what of it a plan may count on."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from sticflow_ml.errors import SticflowError

# What fragmentation and a kernel's own buffers may take; a plan that needs more does not fit.
USABLE_SHARE = 0.9
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_STATISTICS = Path("/sys/fs/cgroup/memory.stat")
MEMORY_INFO = Path("/proc/meminfo")


def resolve_device(name: str) -> torch.device:
    """Choose the device that `model.device` names.

    Raises:
        SticflowError: `ConfigInvalid` when CUDA is asked for and absent.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SticflowError(
            "ConfigInvalid",
            "Expected a CUDA device because model.device is cuda, found none. Set model.device to "
            "auto or cpu, or run this worker where a GPU is.",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def device_memory_bytes(device: torch.device) -> int:
    """Bytes of one GPU, or of the memory that this host or its container gives to processes."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:  # no such kernel interface: nothing limits this process
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def free_memory_bytes(device: torch.device) -> int:
    """Bytes that nobody has taken yet, of the GPU or of what this host or its container gives."""
    if device.type == "cuda":
        # What torch keeps for itself is free to it as well.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    free = device_memory_bytes(device)
    try:
        free = min(free, _statistics(MEMORY_INFO)["MemAvailable:"] * 1024)
        # Files that the kernel keeps in memory, such as weights that were read, are given up on demand.
        free = min(free, device_memory_bytes(device) - _statistics(CGROUP_STATISTICS)["anon"])
    except (OSError, KeyError):
        pass  # no such kernel interface: what is known so far is all
    return max(0, free)


def _statistics(path: Path) -> dict[str, int]:
    """Lines of a name, a number and maybe a unit."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in lines}


def device_name(device: torch.device) -> str:
    """What people call it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def fits(num_bytes: int, capacity_bytes: int) -> bool:
    """True when a plan of this size leaves the device its reserve."""
    return num_bytes <= USABLE_SHARE * capacity_bytes
