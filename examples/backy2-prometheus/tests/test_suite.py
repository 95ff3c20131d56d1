"""The listener keeps every promise of the contract, whatever it was told to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from backy2_prometheus import backy2_make_listener, backy2_settings

from backy2_core.testing.listener import ListenerSuite


def settings(**given: object) -> dict[str, object]:
    return {setting.name: setting.default for setting in backy2_settings()} | given


class TestWithNothingToDo(ListenerSuite):
    @pytest.fixture
    def listener(self):
        return backy2_make_listener(settings())


class TestTextfile(ListenerSuite):
    @pytest.fixture
    def listener(self, tmp_path: Path):
        return backy2_make_listener(settings(textfile=str(tmp_path / "backy2.prom")))


class TestUnwritableTextfile(ListenerSuite):
    @pytest.fixture
    def listener(self, tmp_path: Path):
        (tmp_path / "file").write_bytes(b"")
        return backy2_make_listener(settings(textfile=str(tmp_path / "file" / "backy2.prom")))


class TestGateway(ListenerSuite):
    @pytest.fixture
    def listener(self, tmp_path: Path):
        return backy2_make_listener(settings(push_url="http://127.0.0.1:1", state=str(tmp_path / "state")))

    @pytest.fixture
    def make_silent(self, tmp_path: Path):
        return lambda host, port: backy2_make_listener(
            settings(push_url=f"http://{host}:{port}", push_timeout=0.5, state=str(tmp_path / "state"))
        )
