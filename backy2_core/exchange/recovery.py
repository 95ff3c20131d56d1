"""Making the database again from what the store says of its versions: all of it, or what an old copy of it lacks.

First every version whose copy is in the store, and that the database does not have, arrives; its blobs are ``unseen``. A
version that it has already gets the tags, the protection and the expiry that its copy says; none loses its protection. Then
the store is surveyed: what is found becomes ``stored``, and what is recorded but gone becomes ``damaged``, so that nothing
will refer to it. Versions that were damaged arrive only now: which of their blobs is the rotten one is not known any more, so
all that no whole version shares become ``damaged``, until a scrub reads them. Running it again adds what is new, and changes
nothing where nothing is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from backy2_core.engine.context import Engine
from backy2_core.engine.copy_document import Document, decode_document
from backy2_core.engine.copy_files import head_name, marked_versions
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.pace import Paced
from backy2_core.engine.store import store_of
from backy2_core.engine.survey import survey
from backy2_core.errors import DamageError, ExchangeError, NotFoundError, VersionExistsError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingVersion
from backy2_core.exchange.copied_blocks import Shelf, check_copy, copied_blocks, read_copied
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.version import FINISHED, Version, VersionFilter, VersionState, VersionUid

log = logging.getLogger(__name__)

_STALE = frozenset({VersionState.INCOMPLETE, VersionState.ARRIVING, VersionState.PURGED})
"""States in which an old database may have a version that was finished since."""
_MOST_JOBS = 1_000_000
_SHARE = 0.8


@dataclass(slots=True)
class Recovery:
    """What a recovery found and did, or would do (``dry_run``).

    ``documents`` are in the store, ``unusable`` of them without a copy from which a version could be made. ``recovered``
    versions arrived, ``updated`` ones were there, with other tags, protection or expiry. ``removed`` ones are in the
    database only: they were removed after this database was copied. ``damaged`` versions are those of the whole database.
    Of the blobs, ``found`` were recovered, ``missing`` are gone or of a wrong size, ``surplus`` belong to no version.
    """

    dry_run: bool
    documents: int = 0
    unusable: int = 0
    recovered: int = 0
    updated: int = 0
    removed: int = 0
    damaged: int = 0
    found: int = 0
    missing: int = 0
    surplus: int = 0
    problems: list[str] = field(default_factory=list)


def recover(engine: Engine, *, dry_run: bool = False, damaged: bool = False) -> Recovery:
    """Recover what the database lacks from the store; see above. Needs nothing but the store, and keys to restore.

    A document or pack that is damaged or missing costs only the versions that need it. They are named and left out, so that
    what is missing may still come back; with ``damaged`` they arrive all the same, with lost blocks, and their copies are
    written anew. Raises :class:`NotFoundError` if the store holds no document of any version.
    """
    recovering = _Recovering(engine, Recovery(dry_run))
    with running_job(engine, JobKind.IMPORT, "recovery of versions") as lease:
        recovering.versions(lease)
    # A job of its own: what is left of a version's first arrival stays as long as the job lives that it arrived under.
    with running_job(engine, JobKind.IMPORT, "recovery of damaged versions and of blobs") as lease:
        if damaged:
            recovering.rest(lease)
        if not dry_run:
            recovering.blobs(lease)
        recovering.damaged_versions(lease)
        recovering.judge()
    return recovering.result


class _Recovering:
    """One recovery under way. Holds the uid of each version, and one document at a time."""

    def __init__(self, engine: Engine, result: Recovery) -> None:
        self.result = result
        self._engine = engine
        self._shelf = Shelf(engine.data)
        self._marked = set(marked_versions(engine.data))
        self._with_map = 0
        self._again: list[VersionUid] = []
        self._damaged: list[tuple[VersionUid, Version | None]] = []
        if not self._marked:
            raise NotFoundError(
                f"The store at {engine.data.location} says nothing of any version, so there is nothing to recover. Is it"
                " the right store?"
            )

    def versions(self, lease: Lease) -> None:
        """Take in every version of the store that the database lacks, the oldest first."""
        known = {v.uid: v for v in self._engine.meta.versions(VersionFilter(states=frozenset(VersionState)))}
        in_use = {n for job in self._engine.meta.jobs({JobState.LIVE}, limit=_MOST_JOBS) for n in job.versions}
        self.result.documents = len(self._marked)
        missing = []
        for uid, copy in self._copies():
            there = known.get(uid)
            if there is None or (_is_stale(there) and there.id not in in_use):
                missing.append((copy.version.date, uid))
            elif there.state in FINISHED:
                self._update(there, copy.version)
        action = "Reading versions" if self.result.dry_run else "Recovering versions"
        with Paced(self._engine.progress, action, len(missing), "versions", lease, (0.0, _SHARE)) as paced:
            for _, uid in sorted(missing):
                if (document := self._read(uid)) is None:
                    pass
                elif document.version.state is VersionState.DAMAGED:
                    self._damaged.append((uid, known.get(uid)))
                else:
                    self._recover(lease, document, known.get(uid))
                paced.advance(1)

    def damaged_versions(self, lease: Lease) -> None:
        """Take in the versions that were damaged already when their copy was written."""
        for uid, there in self._damaged:
            if (document := self._read(uid)) is not None:
                self._recover(lease, document, there)

    def rest(self, lease: Lease) -> None:
        """Take in what is left of the versions that could not be taken in whole."""
        for uid in self._again:
            if (copy := self._read(uid)) is not None:
                self._recover_rest(lease, copy)

    def blobs(self, lease: Lease) -> None:
        """Look which blobs are in the store, and mark what is not."""
        found = survey(self._engine, lease, see=True, mark=True, share=(_SHARE, 1.0))
        self.result.found = found.found
        self.result.missing = found.missing.count + found.wrong_size.count
        self.result.surplus = found.orphans.count + found.foreign.count

    def judge(self) -> None:
        """Look at the whole database: which versions are damaged, and which does the store know no more."""
        meta, store = self._engine.meta, self._engine.store
        for version in meta.versions(VersionFilter(states=FINISHED)):
            self.result.damaged += version.state is VersionState.DAMAGED
            if (
                self._with_map
                and version.uid not in self._marked
                and store_of(meta, meta.read_map(version.id)) == store
            ):
                self.result.removed += 1
                log.warning(
                    "Version %s of %s was removed since this database was copied; it is %s now",
                    version.uid,
                    version.name,
                    version.state.name.lower(),
                )

    def _copies(self) -> Iterator[tuple[VersionUid, Document]]:
        for uid in sorted(self._marked):
            copy = self._read(uid, tell=True)
            if copy is not None and copy.runs is None:
                self.result.unusable += 1
                log.warning("The document of version %s has no copy of its block map", uid)
            elif copy is not None:
                self._with_map += 1
                yield uid, copy

    def _read(self, uid: VersionUid, *, tell: bool = False) -> Document | None:
        """The document of a version, or None if it is damaged, or was deleted meanwhile."""
        try:
            content = read_copied(self._engine.data, head_name(uid))
            return None if content is None else decode_document(uid, content)
        except DamageError as error:
            if tell:
                self.result.unusable += 1
                self._problem(str(error))
            return None

    def _update(self, there: Version, copied: Version) -> None:
        # The copy may be the older one, where the store could not be reached; then protection is not lifted on its word.
        protected = there.protected or copied.protected
        if (there.tags, there.protected, there.expire) == (copied.tags, protected, copied.expire):
            return
        self.result.updated += 1
        if self.result.dry_run:
            return
        meta = self._engine.meta
        meta.change_tags(there.id, add=copied.tags - there.tags, remove=there.tags - copied.tags)
        meta.set_protected(there.id, protected)
        meta.set_expire(there.id, copied.expire)

    def _recover(self, lease: Lease, copy: Document, there: Version | None) -> None:
        try:
            if self.result.dry_run:
                check_copy(self._shelf, copy)
                self.result.recovered += 1
                return
            if there is not None and there.state is VersionState.INCOMPLETE:
                # Its copy is complete, so it was finished, or all but finished, when that was written.
                self._engine.meta.remove_version(there.id, protected_too=True)
            self._arrive(lease, copy, lenient=False)
        except (DamageError, ExchangeError) as error:
            self._problem(
                f"Version {copy.version.uid} of {copy.version.name} cannot be recovered as it was: {error} Is all of the store"
                " there? `backy2 recover --damaged` takes in what is left of it."
            )
            if not self.result.dry_run:
                self._again.append(copy.version.uid)
        except VersionExistsError as error:
            self._problem(str(error))

    def _recover_rest(self, lease: Lease, copy: Document) -> None:
        try:
            self._arrive(lease, copy, lenient=True)
        except (DamageError, ExchangeError, VersionExistsError) as error:
            self._problem(f"Version {copy.version.uid} of {copy.version.name} was not recovered: {error}")

    def _arrive(self, lease: Lease, copy: Document, *, lenient: bool) -> None:
        doubtful = copy.version.state is VersionState.DAMAGED
        blocks = (block._replace(damaged=doubtful) for block in copied_blocks(self._shelf, copy, lenient=lenient))
        arrived = arrive(self._engine, lease, _arriving(copy, lenient=lenient), blocks)
        self.result.recovered += 1
        log.info("Recovered version %s of %s, %s", arrived.uid, arrived.name, arrived.state.name.lower())

    def _problem(self, text: str) -> None:
        self.result.problems.append(text)
        log.error("%s", text)


def _is_stale(there: Version) -> bool:
    """True if the copy in the store may be of more than this database has. A version that was never finished here, and is
    removed, was given up by a cleanup, or by a recovery that was cut off; who removes one deletes its copy, too."""
    return there.state in _STALE or (there.state is VersionState.REMOVED and not there.digest)


def _arriving(copy: Document, *, lenient: bool) -> ArrivingVersion:
    version = copy.version
    return ArrivingVersion(
        uid=version.uid,
        name=version.name,
        snapshot_name=version.snapshot_name,
        date=version.date,
        geometry=version.geometry,
        hash=version.hash,
        source=version.source,
        source_identity=version.source_identity,
        base=version.base,
        hints_digest=version.hints_digest,
        digest=b"" if lenient else version.digest,
        damaged=lenient or version.state is VersionState.DAMAGED,
        protected=version.protected,
        expire=version.expire,
        tags=version.tags,
        statistics=copy.statistics,
        key=version.key,
    )
