"""The suite for durability misses each system call that is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.testing.durability import DurabilitySuite, Trace, expect_durable
from backy2_core.testing.strace import Call, why_no_strace
from backy2_plugins.data_backends.file import FileDataBackend

pytestmark = pytest.mark.skipif(bool(why_no_strace()), reason=why_no_strace() or "strace works")


@pytest.fixture(params=["syncfs", "fsync"])
def trace(tmp_path: Path, request: pytest.FixtureRequest) -> Trace:
    def open_store() -> DataBackend:
        return FileDataBackend(str(tmp_path / "store"), flush_method=request.param)

    return DurabilitySuite().trace_of(open_store, tmp_path / "store", tmp_path / "strace")


def without(trace: Trace, unwanted: Callable[[Call], bool]) -> Trace:
    return Trace([call for call in trace.calls if not unwanted(call)], trace.files, trace.volatile)


def is_sync(call: Call) -> bool:
    return call.name in ("fsync", "fdatasync", "syncfs")


def syncs_a_folder(call: Call) -> bool:
    return call.name == "fsync" and re.search(r"/(backy2|kit-a|store|[0-9a-f]{2})$", call.path) is not None


def test_a_whole_record_keeps_every_promise(trace: Trace) -> None:
    suite = DurabilitySuite()
    suite.test_blobs_and_their_names_are_synced_when_the_flush_returns(trace)
    suite.test_documents_and_their_names_are_synced_when_their_call_returns(trace)
    suite.test_a_document_is_durably_gone_when_its_deletion_returns(trace)
    suite.test_what_is_renamed_or_linked_was_synced_before(trace)


def test_without_any_sync_nothing_is_durable(trace: Trace) -> None:
    suite, bare = DurabilitySuite(), without(trace, is_sync)
    for promise in (
        suite.test_blobs_and_their_names_are_synced_when_the_flush_returns,
        suite.test_documents_and_their_names_are_synced_when_their_call_returns,
        suite.test_what_is_renamed_or_linked_was_synced_before,
    ):
        with pytest.raises(AssertionError):
            promise(bare)


def test_folders_that_are_not_synced_are_missed(trace: Trace) -> None:
    with pytest.raises(AssertionError, match="sync"):
        expect_durable(without(trace, syncs_a_folder), "document", "it must be there")


def test_the_sync_of_a_deletion_is_missed(trace: Trace) -> None:
    stored = max(call.end for call in trace.calls if call.mark == "document")
    bare = without(trace, lambda call: is_sync(call) and call.start > stored)
    with pytest.raises(AssertionError, match="bring back"):
        DurabilitySuite().test_a_document_is_durably_gone_when_its_deletion_returns(bare)


def test_the_last_sync_of_a_flush_is_missed(trace: Trace) -> None:
    (first, *_) = [number for number, call in enumerate(trace.calls) if call.mark == "flushed"]
    last = next(number for number in range(first, -1, -1) if is_sync(trace.calls[number]))
    bare = Trace([call for number, call in enumerate(trace.calls) if number != last], trace.files, trace.volatile)
    with pytest.raises(AssertionError, match="nobody synced"):
        expect_durable(bare, "flushed", "it must be there")
