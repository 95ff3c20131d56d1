"""What a database says that is empty, closed, or cannot be reached: an error of ours, in time, and nothing changed."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, Sweep
from backy2_core.errors import MetaBackendError, SchemaError
from backy2_core.model.blob import BlobId, BlobState, BlobUid, DedupKey, JobToken, StoreId
from backy2_core.model.job import JobId, JobKind, JobState
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import VersionFilter, VersionId, VersionState
from backy2_core.testing.meta_backend_base import (
    DIGEST,
    LONG_S,
    OpenDatabase,
    PromiseBase,
    begin,
    new_blobs,
    new_version,
    segment,
)
from backy2_core.testing.outage import Outage, SilentServer, failing_within, failure_of

OpenSilent = Callable[[str, int], MetaBackend]
JOB, STORE, VERSION, BLOB, SEGMENT = JobId(1), StoreId(1), VersionId(1), BlobId(1), SegmentId(1)
ROUNDS = 5
CALLS: dict[str, Callable[[MetaBackend], object]] = {
    "register_store": lambda meta: meta.register_store("identity", "file", "/somewhere"),
    "stores": lambda meta: meta.stores(),
    "read_note": lambda meta: meta.read_note(STORE, "name"),
    "write_note": lambda meta: meta.write_note(STORE, "name", b"data"),
    "begin_job": begin,
    "renew_job": lambda meta: meta.renew_job(JOB, LONG_S, 0.0),
    "end_job": lambda meta: meta.end_job(JOB),
    "expire_jobs": lambda meta: meta.expire_jobs(),
    "jobs": lambda meta: meta.jobs(set(JobState)),
    "find_jobs": lambda meta: meta.find_jobs([JobToken("0" * 16)]),
    "create_version": lambda meta: meta.create_version(JOB, new_version()),
    "versions": lambda meta: list(meta.versions(VersionFilter())),
    "finish_version": lambda meta: meta.finish_version(JOB, VERSION, DIGEST, None),
    "remove_version": lambda meta: meta.remove_version(VERSION),
    "set_version_state": lambda meta: meta.set_version_state(VERSION, VersionState.DAMAGED, ()),
    "set_protected": lambda meta: meta.set_protected(VERSION, True),
    "set_expire": lambda meta: meta.set_expire(VERSION, None),
    "change_tags": lambda meta: meta.change_tags(VERSION, add={"tag"}),
    "statistics": lambda meta: meta.statistics(),
    "find_blobs": lambda meta: meta.find_blobs(STORE, "blake3", "", [DedupKey(b"checksum", 1)]),
    "add_blobs": lambda meta: meta.add_blobs(JOB, STORE, new_blobs(1)),
    "take_over_blobs": lambda meta: meta.take_over_blobs(JOB, STORE, new_blobs(1)),
    "mark_seen": lambda meta: meta.mark_seen([(BLOB, 1)]),
    "find_records": lambda meta: meta.find_records(STORE, [BlobUid("uid")]),
    "read_blobs": lambda meta: meta.read_blobs([BLOB]),
    "set_blob_state": lambda meta: meta.set_blob_state([BLOB], BlobState.DAMAGED, BlobState.STORED),
    "append_segments": lambda meta: meta.append_segments(JOB, VERSION, [segment([BlobId(0)])]),
    "map_length": lambda meta: meta.map_length(VERSION),
    "read_map": lambda meta: list(meta.read_map(VERSION)),
    "read_segments": lambda meta: meta.read_segments([SEGMENT]),
    "read_digests": lambda meta: meta.read_digests([SEGMENT]),
    "abandon_versions": lambda meta: meta.abandon_versions(0.0),
    "purge_versions": lambda meta: meta.purge_versions([VERSION]),
    "horizon": lambda meta: meta.horizon(JOB),
    "scan_maps": lambda meta: list(meta.scan_maps()),
    "scan_segments": lambda meta: list(meta.scan_segments(with_data=False)),
    "sweep_segments": lambda meta: meta.sweep_segments(Sweep(condemn=[SEGMENT]), 1),
    "scan_blobs": lambda meta: list(meta.scan_blobs(STORE)),
    "sweep_blobs": lambda meta: meta.sweep_blobs(Sweep(condemn=[BLOB]), 1),
    "doomed_blobs": lambda meta: meta.doomed_blobs(STORE, 0, 1),
    "forget_blobs": lambda meta: meta.forget_blobs([BLOB]),
    "recorded_uids": lambda meta: meta.recorded_uids(STORE, [BlobUid("uid")]),
    "doom_objects": lambda meta: meta.doom_objects(STORE, [(BlobUid("uid"), 1)]),
}
"""A call of each method but ``schema_state``, ``initialise`` and ``close``."""


class TroublePromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    secret_texts: Sequence[str] = ()
    patience_s: float = 60.0

    @pytest.fixture
    def outage(self) -> Outage | None:
        """How to make the database unreachable, or not writable; to be overridden where that can be done."""
        return None

    @pytest.fixture
    def open_silent(self) -> OpenSilent | None:
        """Opens a database at a host and a port, with short time-outs; to be overridden by what speaks over a network."""
        return None

    @pytest.fixture
    def struck(self, meta: MetaBackend, outage: Outage | None) -> Iterator[Outage]:
        """An outage to begin, of a database that is open."""
        if outage is None:
            pytest.skip("declares no fixture outage")
        meta.register_store("before", "file", "/before")
        yield outage
        outage.end()

    def test_an_empty_database_refuses_every_call_with_the_next_step(self, open_database: OpenDatabase) -> None:
        with open_database() as meta:
            for name, call in CALLS.items():
                failure = failure_of(functools.partial(call, meta), self.patience_s, SchemaError)
                assert failure is not None, f"{name} went through in a database without a schema"
                assert "initdb" in str(failure), f"{name} of an empty database must name the next step, backy2 initdb"

    def test_a_closed_database_refuses_every_call(self, open_database: OpenDatabase) -> None:
        meta = open_database()
        meta.initialise()
        location = meta.location
        meta.close()
        for name, call in [*CALLS.items(), ("schema_state", _look), ("initialise", _initialise)]:
            failure = failure_of(functools.partial(call, meta), self.patience_s, MetaBackendError)
            assert failure is not None, f"{name} was carried out on a closed object"
        assert meta.location == location

    def test_secrets_are_not_shown(self, open_database: OpenDatabase) -> None:
        if not self.secret_texts:
            pytest.skip("the suite names no secret_texts")
        meta = open_database()
        meta.close()
        shown = [meta.location, repr(meta)]
        for call in CALLS.values():
            shown.append(str(failure_of(functools.partial(call, meta), self.patience_s, MetaBackendError)))
        for secret in self.secret_texts:
            assert not any(secret in text for text in shown), "a secret is in the location or in a message"

    def test_opening_again_and_again_leaves_no_thread_behind(self, open_database: OpenDatabase) -> None:
        def use() -> None:
            with open_database() as meta:
                meta.initialise()
                begin(meta)

        use()
        gc.collect()
        before = threading.active_count()
        for _ in range(ROUNDS):
            use()
        gc.collect()
        assert threading.active_count() < before + ROUNDS, "each object leaves a thread behind"

    def test_in_an_outage_calls_fail_or_do_what_they_promise(self, meta: MetaBackend, struck: Outage) -> None:
        stores = meta.stores()
        struck.begin()
        found: list[object] = []
        if self.succeeds(lambda: found.append(meta.stores()), struck):
            assert found == [stores], "the database cannot be reached, and answered with something else"
        began = self.succeeds(lambda: begin(meta, JobKind.SCRUB), struck)
        noted = self.succeeds(lambda: meta.write_note(stores[0].id, "outage", b"noted"), struck)
        assert not (began and noted), "the outage stops no call: does the fixture do what it says?"
        struck.end()

    @pytest.mark.parametrize("call", ["begin_job", "register_store", "expire_jobs"])
    def test_what_failed_in_an_outage_changed_nothing_and_works_again(
        self, meta: MetaBackend, open_database: OpenDatabase, struck: Outage, call: str
    ) -> None:
        before = (meta.stores(), meta.jobs(set(JobState)))
        struck.begin()
        failed = not self.succeeds(lambda: CALLS[call](meta), struck)
        struck.end()
        with open_database() as after:
            if failed:
                assert (after.stores(), after.jobs(set(JobState))) == before, f"{call} failed, and changed something"
            CALLS[call](after)
        if struck.retryable:
            CALLS[call](meta)

    def test_a_server_that_never_answers_is_given_up(self, open_silent: OpenSilent | None) -> None:
        if open_silent is None:
            pytest.skip("declares no fixture open_silent")
        with (
            SilentServer() as server,
            failing_within(self.patience_s, MetaBackendError),
            open_silent(server.host, server.port) as meta,
        ):
            meta.schema_state()

    def succeeds(self, call: Callable[[], object], outage: Outage) -> bool:
        """Whether a call went through; if not, its error must be one that the contract allows."""
        failure = failure_of(call, self.patience_s, MetaBackendError)
        assert failure is None or failure.retryable == outage.retryable, (
            f"expected retryable={outage.retryable} of {failure!r}"
        )
        return failure is None


def _look(meta: MetaBackend) -> None:
    meta.schema_state()


def _initialise(meta: MetaBackend) -> None:
    meta.initialise()
