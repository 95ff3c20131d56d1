"""The installation that is manipulated: made once, copied for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import empty_database, site
from tests.tamper.world import World, make_world

KEY = "5e17c0de" * 8
__all__ = ["empty_database", "site", "whole", "world"]
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The installation as nobody changed it; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="backy2-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield make_world(folder / "whole", KEY)
    shutil.rmtree(folder)


@pytest.fixture
def world(whole: World) -> Iterator[World]:
    """A copy of it."""
    folder = Path(tempfile.mkdtemp(prefix="backy2-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield whole.copy(folder / "world")
    shutil.rmtree(folder)
