"""The live check finds a broken meta backend, names the promise, and changes nothing that others see."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.errors import (
    BackyError,
    BlobGoneError,
    JobLostError,
    MetaBackendError,
    NotFoundError,
    RefusedError,
    VersionExistsError,
)
from backy2_core.model.job import JobState
from backy2_core.model.secret import Secret
from backy2_core.model.version import NewVersion, Version, VersionFilter, VersionState
from backy2_core.testing import live_meta
from backy2_core.testing.live import Verdict
from backy2_core.testing.live_database import NAME, ONE_UID, DatabaseScratch, new_version, segments
from backy2_plugins.meta_backends.sql import backy2_open_meta_backend

Real = Any
Fault = Callable[..., Any]


class Faulty:
    """The real database, but for the methods that a fault replaces; they are given the real one first."""

    def __init__(self, real: MetaBackend, faults: dict[str, Fault]) -> None:
        self._real = real
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        if name in self._faults:
            fault = self._faults[name]
            return lambda *args, **options: fault(self._real, *args, **options)
        return getattr(self._real, name)

    def __enter__(self) -> Faulty:
        return self

    def __exit__(self, *error: object) -> None:
        self._real.close()


@pytest.fixture
def open_real(tmp_path: Path) -> Callable[[], MetaBackend]:
    """Opens an SQLite database with its tables."""
    settings = {"engine": Secret(f"sqlite:///{tmp_path}/db"), "table_prefix": "backy2_", "busy_timeout": 5.0}
    with backy2_open_meta_backend(settings=settings) as meta:
        meta.initialise()
    return lambda: backy2_open_meta_backend(settings=settings)


def with_state(real: Real, which: VersionFilter) -> Iterator[Version]:
    return real.versions(dataclasses.replace(which, states=frozenset(VersionState)))


def swallow(kind: type[BackyError], name: str, otherwise: Callable[..., Any] = lambda *a: None) -> dict[str, Fault]:
    """The method does not raise that error, but returns something."""

    def call(real: Real, *args: Any, **options: Any) -> Any:
        try:
            return getattr(real, name)(*args, **options)
        except kind:
            return otherwise(real, *args)

    return {name: call}


def last_lost(real: Real, job: Any, version: Any, new: Sequence[Any]) -> Any:
    return real.append_segments(job, version, [new[-1]] * len(new))


def half_appended(real: Real, job: Any, version: Any, new: Sequence[Any]) -> Any:
    try:
        return real.append_segments(job, version, new)
    except BlobGoneError:
        real.append_segments(job, version, new[:1])
        raise


def reversed_list(real: Real, which: VersionFilter) -> Iterator[Version]:
    yield from reversed(list(real.versions(which)))


def as_incomplete(real: Real, job: Any, new: NewVersion) -> Version:
    return real.create_version(job, dataclasses.replace(new, arriving=False))


def other_digest(real: Real, job: Any, version: Any, digest: bytes, statistics: Any) -> Any:
    return real.finish_version(job, version, digest[::-1], statistics)


def keeps_all_tags(real: Real, version: Any, add: Any = (), remove: Any = ()) -> None:
    real.change_tags(version, add=add)


def closes_twice_badly() -> dict[str, Fault]:
    seen: list[int] = []

    def close(real: Real) -> None:
        if id(real) in seen:
            raise ValueError("closed twice")
        seen.append(id(real))
        real.close()

    return {"close": close}


def alternating() -> dict[str, Fault]:
    calls: list[int] = []

    def read_map(real: Real, version: Any, start: int = 0) -> Iterator[Any]:
        calls.append(1)
        ids = list(real.read_map(version, start))
        return iter(ids[:-1] if len(calls) % 7 == 0 else ids)

    return {"read_map": read_map}


def purged_stays(real: Real, only: Any) -> int:
    return 0


FAULTS: list[tuple[str, dict[str, Fault]]] = [
    ("it says where it is, and its schema is current", {"schema_state": lambda real: SchemaState.OLD}),
    (
        "a job gets a lease, a number above all others and a token of its own",
        {"jobs": lambda real, states, limit=1000: []},
    ),
    ("a job that ended cannot write any more", swallow(JobLostError, "renew_job")),
    ("a job that ended cannot write any more", {"end_job": lambda real, job: None}),
    (
        "a job that needs a version that is not there is refused",
        swallow(NotFoundError, "begin_job", lambda real, new: real.begin_job(dataclasses.replace(new, uses=()))),
    ),
    ("an arriving version is there for nobody", {"create_version": as_incomplete}),
    ("an arriving version is there for nobody", {"versions": with_state}),
    ("a uid is given to one version only", swallow(VersionExistsError, "create_version")),
    ("a map is read as it was written, from any place", {"append_segments": last_lost}),
    ("a map is read as it was written, from any place", {"read_digests": lambda real, ids: dict.fromkeys(ids, b"?")}),
    (
        "a segment with a blob that is not there is refused whole",
        swallow(
            BlobGoneError,
            "append_segments",
            lambda real, job, version, new: real.append_segments(
                job, version, [dataclasses.replace(each, fresh=()) for each in new]
            ),
        ),
    ),
    ("a segment with a blob that is not there is refused whole", {"append_segments": half_appended}),
    ("a version whose map is not whole does not become valid", swallow(MetaBackendError, "finish_version")),
    ("a finished version is valid, with its digest, for every other connection", {"finish_version": other_digest}),
    ("a protected version is not removed", {"set_protected": lambda real, version, protected: None}),
    ("a protected version is not removed", swallow(RefusedError, "remove_version")),
    ("tags and expiry are set and taken back", {"change_tags": keeps_all_tags}),
    ("tags and expiry are set and taken back", {"set_expire": lambda real, version, expire: None}),
    ("a removed version is not listed any more, and its map goes", {"purge_versions": purged_stays}),
    ("a removed version is not listed any more, and its map goes", {"versions": with_state}),
    ("what is not there is left out, or an error that says so", {"map_length": lambda real, version: 7}),
    ("what is not there is left out, or an error that says so", swallow(NotFoundError, "set_protected")),
    ("versions are listed by name, then by date", {"versions": reversed_list}),
    ("many threads read at once, and see the same", alternating()),
    ("what the check has made is gone again", {"remove_version": lambda real, version, protected_too=False: None}),
    ("closing twice is no error", closes_twice_badly()),
]


@pytest.fixture
def two_versions(open_real: Callable[[], MetaBackend]) -> None:
    """Two versions of others."""
    with open_real() as meta, DatabaseScratch(open_real).job() as job:
        for number, name in enumerate(("b", "a")):
            new = dataclasses.replace(new_version(ONE_UID), name=name, uid=f"{number:08x}{ONE_UID[8:]}", arriving=False)
            meta.create_version(job.id, new)  # type: ignore[arg-type]


@pytest.mark.parametrize(("promise", "faults"), FAULTS, ids=[f"{'/'.join(faults)}: {what}" for what, faults in FAULTS])
@pytest.mark.usefixtures("two_versions")
def test_a_planted_fault_is_found(open_real: Callable[[], MetaBackend], promise: str, faults: dict[str, Fault]) -> None:
    with DatabaseScratch(lambda: Faulty(open_real(), faults)) as scratch:  # type: ignore[arg-type, return-value]
        found = next(each for each in live_meta.PROMISES.check(scratch) if each.promise == promise)
    assert (found.verdict, bool(found.reason)) == (Verdict.BROKEN, True)


def test_every_promise_has_a_planted_fault() -> None:
    assert {promise for promise, _ in FAULTS} == set(live_meta.PROMISES.texts)


@pytest.mark.usefixtures("two_versions")
def test_a_database_that_keeps_its_promises_shows_nothing_of_the_check(open_real: Callable[[], MetaBackend]) -> None:
    with open_real() as meta:
        before = list(meta.versions(VersionFilter())), meta.statistics(), meta.stores()
        for _ in range(2):
            with DatabaseScratch(open_real) as scratch:
                outcomes = list(live_meta.PROMISES.check(scratch))
            assert {each.verdict for each in outcomes} == {Verdict.KEPT}, outcomes
        assert (list(meta.versions(VersionFilter())), meta.statistics(), meta.stores()) == before
        assert not meta.jobs({JobState.LIVE})
        # One row stays, of the same uid each time: a purged version's.
        left = list(meta.versions(VersionFilter(name=NAME, states=frozenset(VersionState))))
        assert [(each.uid, each.state) for each in left] == [(ONE_UID, VersionState.PURGED)]


def test_what_a_killed_check_left_gives_way_to_the_next(open_real: Callable[[], MetaBackend]) -> None:
    with open_real() as meta:
        scratch = DatabaseScratch(open_real)
        with scratch.job() as job:
            version = meta.create_version(job.id, new_version(ONE_UID))
            meta.append_segments(job.id, version.id, segments())
            meta.finish_version(job.id, version.id, b"?" * 32, None)
        assert list(live_meta.PROMISES.check(scratch))
        assert not list(meta.versions(VersionFilter(name=NAME)))
        scratch.meta.close()


def test_a_check_beside_another_skips_what_it_cannot_have(open_real: Callable[[], MetaBackend]) -> None:
    with DatabaseScratch(open_real) as one, one.finished() as version, DatabaseScratch(open_real) as other:
        outcomes = {each.promise: each for each in live_meta.PROMISES.check(other)}
        skipped = outcomes["a protected version is not removed"]
        assert (skipped.verdict, skipped.reason) == (
            Verdict.SKIPPED,
            "another check uses the version that this needs",
        )
        assert [each.uid for each in one.listed(ONE_UID)] == [version.uid]
