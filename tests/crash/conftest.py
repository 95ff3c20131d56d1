"""The process that children are forked from, and folders in memory for what they work on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash import summary
from tests.crash.world import World
from tests.crash.zygote import Zygote

_MEMORY = Path("/dev/shm")
_SUMMARY = "tests.crash.summary"


def pytest_configure(config: pytest.Config) -> None:
    """Have the counts printed."""
    if not config.pluginmanager.has_plugin(_SUMMARY):
        config.pluginmanager.register(summary, _SUMMARY)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Where children come from."""
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that syncs at once, where there is one: a killed process loses nothing that it wrote, so it tells the same."""
    if not _MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="backy2-crash-", dir=_MEMORY))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def world(request: pytest.FixtureRequest, quick_folder: Path, zygote: Zygote) -> World:
    """A database and a store, empty as yet; what is random in them depends on the test's name only."""
    return World(quick_folder, zygote, request.node.name)


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Adds to a line of the summary."""
    return lambda what, number: summary.counted(request.node, what, number)
