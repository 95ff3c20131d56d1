"""One database and one store, and the jobs that a schedule moves on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities
from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.engine.backup import backup
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.context import Engine
from backy2_core.engine.hints import Hints
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, CleanupRequest, RestoreRequest, ScrubRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.retention import remove
from backy2_core.engine.scrub import scrub
from backy2_core.errors import BackyError, NotFoundError, RefusedError
from backy2_core.model.blob import BlobUid
from backy2_core.model.extent import Extent
from backy2_core.model.version import VersionFilter, VersionState, VersionUid
from backy2_core.testing.memory import MemoryDataBackend, MemorySource, MemoryStore, MemoryTarget
from tests.protocol.checker import BLOCK, Inspector, Rows, Violation, check_exact, check_versions, content_of
from tests.protocol.scheduler import Actor, Stepped, SteppedMeta
from tests.protocol.strangers import Strangers, check_copies
from tests.support.engines import make_engine, open_database

DATABASE = "meta.sqlite"
_A_DAY_S = 86400.0
_ALL = VersionFilter(states=frozenset(VersionState))

WrapStore = Callable[[DataBackend], DataBackend]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a world begins with: a database, a store, and the image of each version."""

    database: bytes
    blobs: dict[BlobUid, bytes]
    documents: dict[str, bytes]
    images: dict[str, str]


@dataclass(frozen=True, slots=True)
class Options:
    """How the engines of a world differ from the usual."""

    abandon_incomplete_s: float = 7 * _A_DAY_S
    tolerated: tuple[type[BackyError], ...] = ()
    """Errors that are no violation."""


class World:
    """A database in ``folder`` and a store in memory. Every job is an :class:`Actor` that moves only when told to.

    ``bad`` are objects that a test damaged; for ``strangers`` see :mod:`tests.protocol.strangers`.
    """

    def __init__(self, folder: Path, beginning: Beginning | None = None, options: Options | None = None) -> None:
        self.options = options or Options()
        if beginning is not None:
            (folder / DATABASE).write_bytes(beginning.database)
        self.meta = open_database(folder)
        self.store = MemoryStore(dict(beginning.blobs), dict(beginning.documents)) if beginning else MemoryStore()
        self.images = dict(beginning.images) if beginning else {}
        self.actors: list[Actor] = []
        self.trace: list[str] = []
        self.bad: set[BlobUid] = set()
        self.strangers = Strangers()
        self._folder = folder
        self._inspector = Inspector(folder / DATABASE)
        self._objects: frozenset[BlobUid] = frozenset()

    # -- jobs

    def backup(
        self,
        name: str,
        image: str,
        *,
        base: str | None = None,
        changed: Sequence[int] = (),
        resume: bool = False,
        wrap: WrapStore = lambda data: data,
    ) -> Actor:
        """A backup of ``image`` as version ``name``; with a ``base``, all but the ``changed`` blocks are kept from it."""
        extents = [Extent(block * BLOCK, BLOCK) for block in changed]
        hints = Hints(extents, repr(extents)) if base else None
        request = BackupRequest(
            source=image,
            name=name,
            hints=hints,
            base=self.uid(base) if base else None,
            resume=self.uid(name) if resume else None,
        )
        self.images[name] = image
        return self._start(f"backup {name}", lambda engine: backup(engine, request), wrap)

    def restore(self, name: str) -> Actor:
        """A restore of a version."""
        request = RestoreRequest(self.uid(name), "target")
        made: list[MemoryTarget] = []

        def work(engine: Engine) -> Any:
            def open_target(url: str, wanted: TargetRequest) -> Target:
                made.append(MemoryTarget(wanted, threads=1))
                return made[0]

            result = restore(replace(engine, open_target=open_target), request)
            if not result.damaged_blocks and made[0].durable != content_of(self.images[name]):
                raise Violation(f"a restore of {name} calls itself whole, and is not")
            return result

        return self._start(f"restore {name}", work)

    def scrub(self, name: str) -> Actor:
        """A full scrub of a version."""
        request = ScrubRequest(self.uid(name))
        return self._start(f"scrub {name}", lambda engine: scrub(engine, request))

    def rm(self, name: str) -> Actor:
        """The removal of a version."""
        uid = self.uid(name)
        return self._start(f"rm {name}", lambda engine: remove(engine, get_version(engine.meta, uid)))

    def cleanup(self, *, full: bool = False, wrap: WrapStore = lambda data: data) -> Actor:
        """A cleanup."""
        number = sum(actor.name.startswith("cleanup") for actor in self.actors) + 1
        return self._start(f"cleanup {number}", lambda engine: cleanup(engine, CleanupRequest(full=full)), wrap)

    def _start(self, name: str, work: Callable[[Engine], Any], wrap: WrapStore = lambda data: data) -> Actor:
        actor = Actor(name, lambda actor: work(self._engine(actor, wrap)))
        self.actors.append(actor)
        actor.start()
        return actor

    def _engine(self, actor: Actor | None, wrap: WrapStore = lambda data: data, **options: Any) -> Engine:
        data = MemoryDataBackend(self.store, capabilities=DataCapabilities(threads=1))
        chosen = {
            "workers": 1,
            "buffer_bytes": 1,
            "lease_s": _A_DAY_S,
            "sanity_check_blocks": 0,
            "flush_bytes": 1,
            "abandon_incomplete_s": self.options.abandon_incomplete_s,
        }
        engine = make_engine(self.meta, data, **(chosen | options))
        engine = replace(engine, open_source=lambda url: MemorySource(content_of(url), identity=url, threads=1))
        if actor is None:
            return engine
        meta: Any = SteppedMeta(self.meta, actor)
        stepped: Any = Stepped(wrap(data), actor)
        return replace(engine, meta=meta, data=stepped)

    @property
    def has_strangers(self) -> bool:
        """True once something came from elsewhere."""
        return bool(self.strangers.foreign) or any(actor.name.startswith("arrival") for actor in self.actors)

    # -- moving them

    def step(self, actor: Actor) -> None:
        """One step of a job, then the invariants."""
        self.trace.append(f"{actor.name}: {actor.at}")
        actor.step()
        self.check()
        if actor.ended:
            self._judge(actor)

    def upto(self, actor: Actor, *calls: str) -> None:
        """Let a job go on until it stops before one of these calls."""
        while actor.at not in calls:
            assert not actor.ended, f"{actor.name} never came to {calls}: {actor.error!r}"
            self.step(actor)

    def past(self, actor: Actor, call: str) -> None:
        """Let a job go on until it has made ``call``."""
        self.upto(actor, call)
        self.step(actor)

    def run(self, *actors: Actor) -> None:
        """Let jobs go on to their ends, one after the other."""
        for actor in actors:
            while not actor.ended:
                self.step(actor)

    def kill(self, actor: Actor) -> None:
        """A job is never heard of again; its lease is still to run out."""
        self.trace.append(f"{actor.name}: killed before {actor.at}")
        actor.kill()

    def expire(self, actor: Actor) -> None:
        """The lease of a job's present job runs out, and that is written down."""
        self.trace.append(f"{actor.name}: its lease runs out")
        actor.expired = True
        self._inspector.change("UPDATE backy2_jobs SET lease_until = 0 WHERE id = ?", actor.jobs[-1].id)
        self.meta.expire_jobs()

    def crash(self, actor: Actor) -> None:
        """A job is killed, and its lease runs out."""
        self.kill(actor)
        if actor.jobs:
            self.expire(actor)

    # -- looking at them

    def uid(self, name: str) -> VersionUid:
        """The uid of the version of this name."""
        return next(version.uid for version in self.meta.versions(_ALL) if version.name == name)

    @property
    def rows(self) -> Rows:
        """All rows as they are now."""
        return self._inspector.rows()

    @property
    def objects(self) -> Mapping[BlobUid, bytes]:
        """All durable objects as they are now."""
        return self.store.blobs

    def spoil(self, name: str, block: int = 0) -> None:
        """The object of a version's block is damaged in the store, of which nobody knows yet."""
        rows = self.rows
        uid = rows.blobs[rows.blobs_of(name)[block]].uid
        self.store.blobs[uid] = bytes(BLOCK)
        self.bad.add(uid)

    def change(self, statement: str, *values: int | str) -> None:
        """Change the database past the meta backend."""
        self._inspector.change(statement, *values)

    def check(self) -> None:
        """The invariants of valid versions, if anything has changed."""
        objects = frozenset(self.store.blobs)
        if self._inspector.changed() or objects != self._objects:
            self._objects = objects
            self._check(VersionState.VALID)

    def check_incomplete(self) -> None:
        """What an incomplete or arriving version has so far is whole too."""
        self._check(VersionState.INCOMPLETE, VersionState.ARRIVING)

    def check_proven(self) -> None:
        """All damage was found by now: no valid version refers to a damaged object."""
        rows = self.rows
        excused = self.strangers.excused(rows)
        check_versions(rows, self.objects, self.images, (VersionState.VALID,), excused=excused)

    def check_exact(self) -> None:
        """Nothing is left to be cleaned up."""
        rows = self.rows
        check_exact(rows, self.strangers.expected(rows, self.objects))

    def _check(self, *states: VersionState) -> None:
        rows = self.rows
        self.strangers.note(rows, self.store)
        check_versions(rows, self.objects, self.images, states, self.bad, self.strangers.excused(rows))

    def _judge(self, actor: Actor) -> None:
        """A job whose lease lives comes to its end; one that could not begin says so."""
        if isinstance(actor.error, Violation | AssertionError):
            raise actor.error
        if actor.expired and (actor.error is None or isinstance(actor.error, BackyError)):
            return
        found = getattr(actor.result, "damaged_blocks", 0)
        if found and not self.bad:
            raise Violation(f"{actor.name} found {found} damaged blocks under a live lease")
        began = actor.jobs or actor.name.startswith("cleanup")
        refused = isinstance(actor.error, NotFoundError | RefusedError) and not began
        if actor.error is not None and not refused and not isinstance(actor.error, self.options.tolerated):
            raise Violation(f"{actor.name} failed under a live lease: {actor.error!r}") from actor.error

    # -- the end

    def settle(self) -> None:
        """All jobs die, all leases run out; then cleanups leave exactly what is referred to."""
        for actor in self.actors:
            actor.kill()
        self.change("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1")
        self.meta.expire_jobs()
        engine = self._engine(None, abandon_incomplete_s=0.0)
        if self.has_strangers:
            cleanup(engine, CleanupRequest(full=True))
            self.check()
            self.strangers.settle(engine)
            cleanup(engine, CleanupRequest(full=True))
            check_copies(engine)
        else:
            for full in (False, True, False, True):
                cleanup(engine, CleanupRequest(full=full))
        self._check(VersionState.VALID, VersionState.DAMAGED)
        self.check_exact()

    def close(self) -> None:
        """Let go of threads and files."""
        for actor in self.actors:
            actor.kill()
        self._inspector.close()
        self.meta.close()

    def save(self) -> Beginning:
        """Close, and keep everything as the beginning of other worlds."""
        self.close()
        database = (self._folder / DATABASE).read_bytes()
        return Beginning(database, dict(self.store.blobs), dict(self.store.documents), dict(self.images))
