"""Keeping copies tidy: what is missing or out of date is written anew, and packs that no document refers to are deleted.

A pack may be referred to by a document that is being written just now. So the order matters: the packs are listed first;
then it is seen whether any other job lives that writes copies; then all documents are read; and at last it is seen whether
such a job began meanwhile. Only if there was none do packs go, and only those that were listed: whoever wrote them is over,
its document was read, and no document that could hand a reference on was missed. Else they stay for a later cleanup.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from backy2_core.engine.context import Engine
from backy2_core.engine.copies import current_head, read_copy, write_copy
from backy2_core.engine.copy_document import Document
from backy2_core.engine.copy_files import delete_pack, marked_versions, read_file, read_head, stored_packs
from backy2_core.engine.lease import Lease
from backy2_core.engine.requests import CleanupResult
from backy2_core.engine.store import store_of
from backy2_core.errors import DamageError
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.version import FINISHED, Version, VersionFilter, VersionUid

log = logging.getLogger(__name__)

_WRITERS = frozenset({JobKind.BACKUP, JobKind.IMPORT, JobKind.CLEANUP})
_MOST_JOBS = 1000


def tidy_copies(engine: Engine, lease: Lease, result: CleanupResult, *, thorough: bool) -> CleanupResult:
    """Write missing copies; if ``thorough``, look at every document, and delete packs too. Adds to ``result``."""
    if not engine.data.capabilities.persistent:
        return result
    tidying = _Tidying(engine, lease, thorough=thorough)
    tidying.read_documents()
    deleted = tidying.delete_packs() if thorough else 0
    return replace(result, written_copies=result.written_copies + tidying.written, deleted_packs=deleted)


class _Tidying:
    """One look at the copies. Holds the names of packs and the uids of versions, and no document for longer than it needs."""

    def __init__(self, engine: Engine, lease: Lease, *, thorough: bool) -> None:
        self.written = 0
        self._engine = engine
        self._lease = lease
        self._thorough = thorough
        packs = {name for name, _ in stored_packs(engine.data)} if thorough else set()
        self._alone = not self._others({JobState.LIVE}, after=0)
        self._present = set(packs)
        self._unused = packs
        self._marked = set(marked_versions(engine.data))

    def read_documents(self) -> None:
        """Look at the copies of all finished versions, those of one name in order, then at other documents."""
        previous: Version | None = None
        for version in self._engine.meta.versions(VersionFilter(states=FINISHED)):
            self._lease.check()
            if self._thorough or version.uid not in self._marked:
                self._look_at(version, previous if previous and previous.name == version.name else None)
            self._marked.discard(version.uid)
            previous = version
        for uid in self._marked if self._thorough else ():
            self._note(uid, read_copy(self._engine.data, uid))

    def delete_packs(self) -> int:
        """Delete what is not referred to, if that is certain; return how many packs were."""
        self._lease.confirm()
        if not self._alone or self._others(frozenset(JobState), after=self._lease.id):
            if self._unused:
                log.info("%d packs stay for a later cleanup, since other jobs run", len(self._unused))
            return 0
        for name in sorted(self._unused):
            delete_pack(self._engine.data, name)
        return len(self._unused)

    def _look_at(self, version: Version, previous: Version | None) -> None:
        copy = read_copy(self._engine.data, version.uid)
        if copy is not None:
            wanted = replace(copy, version=current_head(version))
            lacks_map = copy.runs is None and self._engine.options.metadata_copies
            if wanted == copy and not lacks_map and not self._missing(copy):
                self._note(version.uid, copy)
                return
        elif store_of(self._engine.meta, self._engine.meta.read_map(version.id)) not in (None, self._engine.store):
            return
        self._write(version, previous, anew=copy is not None and self._missing(copy))
        self._note(version.uid, read_copy(self._engine.data, version.uid))

    def _write(self, version: Version, previous: Version | None, *, anew: bool) -> None:
        head, statistics = current_head(version), self._engine.meta.statistics(version.uid)
        try:
            # A copy that was spoiled must not be made anew from a row that was changed.
            self._engine.seals.check(version)
            write_copy(
                self._engine,
                version,
                version.digest,
                statistics,
                base=previous,
                damaged=head.state is version.state.DAMAGED,
                usable=(lambda copy: not self._missing(copy)) if self._thorough else None,
                anew=anew,
            )
            self.written += 1
            log.info("Wrote the copy of the metadata of version %s", version.uid)
        except DamageError as error:
            log.warning("%s", error)

    def _missing(self, copy: Document) -> bool:
        """True if a pack of this copy is not in the store. One that was written since the listing is asked for."""
        for pack in copy.packs:
            if pack.name not in self._present:
                if read_file(self._engine.data, pack.name) is None:
                    return True
                self._present.add(pack.name)
        return False

    def _note(self, uid: VersionUid, copy: Document | None) -> None:
        """What this document refers to stays. What one that cannot be read refers to is not known, so all stays."""
        if copy is not None:
            self._unused.difference_update(pack.name for pack in copy.packs)
        elif read_head(self._engine.data, uid) is not None:
            self._alone = False

    def _others(self, states: Collection[JobState], after: int) -> bool:
        """True if there is another job that writes copies, in these states, begun after the job ``after``."""
        jobs = self._engine.meta.jobs(states, limit=_MOST_JOBS)
        newer = [job for job in jobs if job.id > after and job.id != self._lease.id]
        return len(newer) >= _MOST_JOBS - 1 or any(job.kind in _WRITERS for job in newer)
