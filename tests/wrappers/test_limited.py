"""The limits that a store has leave to set: how many calls run at once, and how many bytes pass in a second."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from backy2_core.errors import DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.plugins.discovery import DATA_BACKENDS, OWN_DISTRIBUTION
from backy2_core.plugins.registry import PluginRegistry
from backy2_core.testing.data_backend_base import new_uid, put_new, read
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.memory import MemoryDataBackend
from backy2_core.wrappers.limited import LimitedDataBackend

PATIENCE_S = 10
MIB = 1024 * 1024


class Crowd:
    """Counts who is inside, and lets them out when ``together`` are."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(together)

    def visit(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._together.wait(PATIENCE_S)
        with self._lock:
            self._inside -= 1


@pytest.mark.parametrize(("reads", "writes"), [(1, 4), (4, 1), (2, 3)])
def test_as_many_reads_and_writes_run_at_once_as_each_has_leave_to(reads: int, writes: int) -> None:
    inner = FaultyDataBackend(MemoryDataBackend())
    store = LimitedDataBackend(inner, reads=reads, writes=writes)
    uid = put_new(inner)
    for method, limit in (("put", writes), ("get", reads)):
        crowd = Crowd(limit)
        inner.run(method, crowd.visit, times=12)
        with ThreadPoolExecutor(12) as pool:
            for call in [pool.submit(_call, store, method, uid) for _ in range(12)]:
                call.result(PATIENCE_S)
        assert crowd.most == limit


def test_a_failure_gives_the_turn_to_the_next() -> None:
    inner = FaultyDataBackend(MemoryDataBackend())
    store = LimitedDataBackend(inner, reads=1, writes=1)
    inner.fail("put", DataBackendError("out of reach"), times=3)
    for _ in range(3):
        with pytest.raises(DataBackendError, match="out of reach"):
            put_new(store)
    read(store, put_new(store))


def _call(store: LimitedDataBackend, method: str, uid: BlobUid) -> None:
    if method == "put":
        store.put(new_uid(), memoryview(b"content"))
    else:
        read(store, uid)


def test_reads_and_writes_of_every_store_of_ours_can_be_limited() -> None:
    registry = PluginRegistry()
    limits = {"simultaneous_reads", "simultaneous_writes", "bandwidth_read", "bandwidth_write"}
    for entry in registry.entries:
        if (entry.group, entry.distribution) == (DATA_BACKENDS, OWN_DISTRIBUTION) and entry.name != "null":
            declared = {setting.name for setting in registry.settings(registry.load(DATA_BACKENDS, entry.name))}
            assert limits <= declared, entry.name


@pytest.mark.parametrize(("key", "how"), [("bandwidth_write", "backup"), ("bandwidth_read", "restore")])
def test_the_rates_of_the_configuration_hold_within_a_tenth(tmp_path: Path, key: str, how: str) -> None:
    rate, size = 4 * MIB, 10 * MIB
    (tmp_path / "image").write_bytes(random.Random(1).randbytes(size))

    def call(limit: str, *words: str) -> float:
        """Run a command; its duration."""
        text = (
            f"[backy2]\nblock_size = 256k\nlogfile = {tmp_path}/log\n[data_backend]\npath = {tmp_path}/data\n{limit}\n"
        )
        (tmp_path / "cfg").write_text(f"{text}[meta_backend]\nengine = sqlite:///{tmp_path}/backy2.sqlite\n")
        began = time.monotonic()
        assert main(["-c", str(tmp_path / "cfg"), *words]) == 0
        return time.monotonic() - began

    call("", "initdb")
    if how == "restore":
        call("", "backup", f"file://{tmp_path}/image", "vm")
        took_s = call(f"{key} = {rate}", "restore", "latest:vm", f"file://{tmp_path}/restored")
    else:
        took_s = call(f"{key} = {rate}", "backup", f"file://{tmp_path}/image", "vm")
    assert size / took_s <= 1.1 * rate
