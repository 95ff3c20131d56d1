"""What every test gets: a home folder of its own, and no configuration of the machine's user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

VARIABLES = ("BACKY2_CONFIG", "BACKY2_PLUGINS", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty home folder, for this process and for those that it starts."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        # Even root then keeps its log below the home, see backy2_core.config.places.
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        yield home
