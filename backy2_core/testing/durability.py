"""Suites for what keeps its bytes in files: durable before a call returns, proven by the order of the system calls.

A killed process does not lose what the kernel holds in memory, a machine without power does; so a child is traced by
strace, and at each promise the suite asks what a power loss would take away. A data backend joins with one line and one
fixture more::

    class TestMyBackend(DurabilitySuite, DataBackendSuite):
        @pytest.fixture
        def files(self, tmp_path):
            return tmp_path / "store"

``files`` is the file or folder below which everything is. Targets and meta backends join in the same way, with
:class:`TargetDurabilitySuite` and :class:`MetaDurabilitySuite`. Without strace these tests are skipped, and say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import OpenStore, content_of, put, put_new
from backy2_core.testing.meta_backend_base import OpenDatabase, add, append, begin, create, segment
from backy2_core.testing.power_loss import Disk
from backy2_core.testing.source_writing import TargetSubject
from backy2_core.testing.strace import Call, Mark, record, why_no_strace

SIZE = 300_000


@dataclass(frozen=True, slots=True)
class Trace:
    """What a child did below ``files``; ``volatile`` are names that need not survive."""

    calls: list[Call]
    files: Path
    volatile: tuple[str, ...]

    def disks_at(self, mark: str) -> list[Disk]:
        """The disk as it was each time the child was at this mark, which it was at least once."""
        disks = []
        for number, call in enumerate(self.calls):
            if call.mark == mark:
                disks.append(self._disk(self.calls[:number]))
        assert disks, f"the child never came to the mark {mark!r}"
        return disks

    def disk(self) -> Disk:
        """The disk at the end."""
        return self._disk(self.calls)

    def _disk(self, calls: list[Call]) -> Disk:
        disk = Disk(str(self.files), self.volatile)
        for call in calls:
            disk.see(call)
        return disk


class TracedBase:
    """What the suites of this module share: see there.

    ``volatile``: patterns of names of files that need not survive, such as locks, and of folders of such files.
    """

    volatile: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def files(self) -> Path:
        """The file or folder below which everything is; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture files")

    def trace(self, work: Callable[[Mark], None], files: Path, log: Path) -> Trace:
        """Let a child do the work under strace."""
        if why := why_no_strace():
            pytest.skip(why)
        return Trace(record(work, log), files, self.volatile)


def expect_durable(trace: Trace, mark: str, promise: str) -> None:
    """Whenever the child was at the mark, no power loss would take anything away."""
    for disk in trace.disks_at(mark):
        assert disk.bytes_written, (
            f"nothing was written below {trace.files}: does the fixture files name the right place?"
        )
        assert not disk.unsynced_files(), f"{promise}, but nobody synced {disk.unsynced_files()} after the last write"
        assert not disk.unsynced_names(), f"{promise}, but nobody synced the folders that hold {disk.unsynced_names()}"


class DurabilitySuite(TracedBase):
    """For a data backend; subclass it together with ``DataBackendSuite``, and give the fixture ``files`` too."""

    @pytest.fixture
    def traced(self, open_store: OpenStore, files: Path, tmp_path: Path) -> Trace:
        """A child puts, flushes, and handles documents."""
        return self.trace_of(open_store, files, tmp_path / "strace")

    def trace_of(self, open_store: OpenStore, files: Path, log: Path) -> Trace:
        """A child puts, flushes, and handles documents."""

        def work(mark: Mark) -> None:
            with open_store() as store:
                for _ in range(2):
                    for _ in range(4):
                        put_new(store, SIZE)
                    store.flush()
                    mark("flushed")
                for data in (b"first", b"second"):
                    store.write_document("kit-a/b", data)
                    mark("document")
                assert store.create_document("kit-c", b"made")
                mark("document")
                store.delete_document("kit-a/b")
                mark("deleted")

        return self.trace(work, files, log)

    def test_blobs_and_their_names_are_synced_when_the_flush_returns(self, traced: Trace) -> None:
        expect_durable(traced, "flushed", "flush returned, so its blobs must survive a power loss")

    def test_documents_and_their_names_are_synced_when_their_call_returns(self, traced: Trace) -> None:
        expect_durable(traced, "document", "the document was stored, so it must survive a power loss")

    def test_a_document_is_durably_gone_when_its_deletion_returns(self, traced: Trace) -> None:
        for disk in traced.disks_at("deleted"):
            gone = disk.unsynced_removals()
            assert not gone, f"the document was deleted, but a power loss would bring back {gone}: sync the folder"

    def test_what_is_renamed_or_linked_was_synced_before(self, traced: Trace) -> None:
        early = traced.disk().named_too_early
        assert not early, (
            f"a power loss could leave a part of a blob under its name: {early} got it before being synced"
        )

    def test_blobs_of_many_writers_are_synced_when_any_flush_returns(
        self, open_store: OpenStore, files: Path, tmp_path: Path
    ) -> None:
        def work(mark: Mark) -> None:
            with open_store() as store:
                uids = [BlobUid(f"{number:032x}") for number in range(1, 13)]
                for uid in uids[:6]:
                    put(store, uid, content_of(uid, SIZE))
                store.flush()
                mark("flushed")
                for uid in uids[6:]:
                    put(store, uid, content_of(uid, 1))
                store.delete(uids[:3])
                store.flush()
                mark("flushed")

        traced = self.trace(work, files, tmp_path / "strace")
        expect_durable(traced, "flushed", "flush returned, so every blob put before must survive a power loss")


class TargetDurabilitySuite(TracedBase):
    """For a target; subclass it together with ``TargetSuite``, and give the fixture ``files`` too."""

    @pytest.fixture(params=[False, True], ids=["full", "sparse"])
    def traced(self, subject: TargetSubject, files: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Trace:
        """A child restores."""
        wanted = TargetRequest(subject.size_bytes, force=not subject.creates, sparse=request.param)

        def work(mark: Mark) -> None:
            with subject.open(wanted) as target:
                target.write(0, memoryview(bytes(range(256)) * 1000))
                target.zero(256_000, subject.size_bytes - 256_000)
                target.flush()
                mark("flushed")
                target.write(1, memoryview(b"more"))
                target.flush()
                mark("flushed")

        return self.trace(work, files, tmp_path / "strace")

    def test_what_was_written_is_synced_when_the_flush_returns(self, traced: Trace) -> None:
        expect_durable(traced, "flushed", "flush returned, so what was restored must survive a power loss")


class MetaDurabilitySuite(TracedBase):
    """For a meta backend; subclass it together with ``MetaBackendSuite``, and give the fixture ``files`` too."""

    @pytest.fixture
    def traced(self, open_database: OpenDatabase, files: Path, tmp_path: Path) -> Trace:
        """A child records a version."""

        def work(mark: Mark) -> None:
            with open_database() as meta:
                meta.initialise()
                store = meta.register_store("store", "memory", "nowhere")
                job = begin(meta).id
                version = create(meta, job)
                for _ in range(3):
                    append(meta, job, create(meta, job), segment(add(meta, job, store)))
                    mark("committed")
                append(meta, job, version, segment([]))
                mark("committed")
                meta.remove_version(version.id)
                mark("committed")

        return self.trace(work, files, tmp_path / "strace")

    def test_what_was_changed_is_synced_when_the_call_returns(self, traced: Trace) -> None:
        expect_durable(traced, "committed", "the call returned, so what it changed must survive a power loss")
