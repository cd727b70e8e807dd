"""Small checkpoints, pictures and requests that the tests share."""

from __future__ import annotations

import os

# Before torch is imported: nobody needs more threads here, and forks must not lose any.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from pathlib import Path

import pytest
from tiny_models import FAMILIES, build
from tiny_requests import write_pictures


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random-weight checkpoint of every family."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {family: build(family, root / family) for family in FAMILIES}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of many shapes, `0.png` and so on."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))
