"""Our own data backends, and the reference one, keep every promise of the contract."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.errors import DataBackendError
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.data_backend_base import OpenStore
from backy2_core.testing.durability import DurabilitySuite
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore
from backy2_core.testing.outage import Outage
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from backy2_core.wrappers.throttled import ThrottledDataBackend
from backy2_plugins.data_backends.file import FileDataBackend
from backy2_plugins.data_backends.null import NullDataBackend


class TestFile(DurabilitySuite, DataBackendSuite):
    @pytest.fixture(params=["syncfs", "fsync"])
    def open_store(self, tmp_path: Path, request: pytest.FixtureRequest) -> OpenStore:
        return lambda: FileDataBackend(str(tmp_path / "store"), flush_method=request.param)

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        return tmp_path / "store"

    @pytest.fixture
    def outage(self, tmp_path: Path) -> Outage:
        """The store is moved away, as where a disk is unmounted: what is mounted later, an open store does not see."""
        here, away = tmp_path / "store", tmp_path / "away"

        def bring_back() -> None:
            if away.exists():
                away.rename(here)

        return Outage(begin=lambda: os.rename(here, away), end=bring_back, retryable=False)


class TestNull(DataBackendSuite):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        return NullDataBackend


class TestMemory(DataBackendSuite):
    shared_between_processes = False

    @pytest.fixture
    def open_store(self) -> OpenStore:
        store = MemoryStore()
        return lambda: MemoryDataBackend(store)


class TestWrapped(DataBackendSuite):
    """Wrappers that have nothing to do change nothing."""

    @pytest.fixture
    def outage(self, opened: list[FaultyDataBackend]) -> Outage:
        """The store fails at every call, as over a network; the wrappers say so at once."""

        def begin() -> None:
            for store in opened:
                store.break_down(DataBackendError(f"{store.location} cannot be reached", retryable=True))

        def end() -> None:
            for store in opened:
                store.forget_orders()

        return Outage(begin, end)

    @pytest.fixture
    def opened(self) -> list[FaultyDataBackend]:
        """The stores within, as they were opened."""
        return []

    @pytest.fixture
    def open_store(self, tmp_path: Path, opened: list[FaultyDataBackend]) -> OpenStore:
        def wrap() -> DataBackend:
            inner = FaultyDataBackend(FileDataBackend(str(tmp_path / "store")))
            opened.append(inner)
            throttled = ThrottledDataBackend(inner, read_bytes_s=1 << 40, write_bytes_s=1 << 40)
            return RetryingDataBackend(throttled, Patience(limit_s=0.0))

        return wrap
