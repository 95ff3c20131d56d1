"""The installation that these tests work with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Fixtures of the crash tests: children that can be stopped at a point of their work.
from tests.crash.conftest import quick_folder, world, zygote
from tests.engine.conftest import place
from tests.faults.site import Site
from tests.sources.machine import loop_device

__all__ = ["loop_device", "place", "quick_folder", "site", "world", "zygote"]

_MEMORY = Path("/dev/shm")


@pytest.fixture
def site() -> Iterator[Site]:
    """An installation without any version, in memory where the machine has such a folder."""
    with tempfile.TemporaryDirectory(prefix="backy2-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        made = Site(Path(folder))
        made.ok("initdb")
        yield made
