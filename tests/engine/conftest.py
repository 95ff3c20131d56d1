"""The place that engine tests work in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.place import Place

MEMORY = Path("/dev/shm")


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty place, in memory where the machine has such a folder: these tests ask what is done, not how durably."""
    with tempfile.TemporaryDirectory(prefix="backy2-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = Place(Path(folder))
        yield made
        made.close()
