"""The installation that these tests work with."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What initdb makes; copied for each test, since making it takes longer than most of them."""
    made = Site(tmp_path_factory.mktemp("empty"))
    made.ok("initdb")
    return made.database


@pytest.fixture
def site(empty_database: Path) -> Iterator[Site]:
    """An installation without any version, in memory where the machine has such a folder."""
    with tempfile.TemporaryDirectory(prefix="backy2-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        made = Site(Path(folder))
        shutil.copy(empty_database, made.database)
        yield made
        made.close()
