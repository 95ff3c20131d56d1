"""Checks that the store has the metadata of every version, and of none that the database does not know.

The order matters: the finished versions are read first, then the documents, then all versions. A version's document is written
before it becomes valid, and its row before its document. What is at fault all the same is looked at a second time by itself:
meanwhile it may have been removed, or its copy written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from backy2_core.engine.context import Engine
from backy2_core.engine.copies import current_head
from backy2_core.engine.copy_document import decode_document
from backy2_core.engine.copy_files import marked_versions, read_file, read_head, stored_packs
from backy2_core.engine.health_lines import Faults
from backy2_core.engine.lease import Lease
from backy2_core.engine.pace import Paced
from backy2_core.engine.pool import WorkerPool
from backy2_core.engine.seals import content_digest
from backy2_core.engine.stored_map import batches
from backy2_core.errors import DamageError
from backy2_core.model.version import FINISHED, Version, VersionFilter, VersionState, VersionUid

_AT_A_TIME = 64
_SHARE = (0.95, 1.0)


@dataclass(slots=True)
class CopiesHealth:
    """What the check of the copies found. ``documents`` were in the store; ``unknown`` ones are of versions that the database
    does not know."""

    copies: int = 0
    documents: int = 0
    faulty: Faults = field(default_factory=Faults)
    unknown: Faults = field(default_factory=Faults)


def check_copies(engine: Engine, elsewhere: Collection[VersionUid], lease: Lease | None) -> CopiesHealth:
    """Check the document of every valid or damaged version but those ``elsewhere``, and that its packs are there."""
    health = CopiesHealth()
    versions = [v for v in engine.meta.versions(VersionFilter(states=FINISHED)) if v.uid not in elsewhere]
    packs = {name for name, _ in stored_packs(engine.data)}
    with Paced(engine.progress, "Checking metadata copies", len(versions), "versions", lease, _SHARE) as paced:
        for some in batches(iter(versions), _AT_A_TIME):
            contents = _contents(engine, some)
            for version in some:
                if _fault(engine, version, contents[version.uid], packs.__contains__):
                    _look_again(engine, version, health.faulty)
            health.copies += len(some)
            paced.advance(len(some))
    _find_unknown(engine, health)
    return health


def _find_unknown(engine: Engine, health: CopiesHealth) -> None:
    marked = sorted(marked_versions(engine.data))
    known = {version.uid for version in engine.meta.versions(VersionFilter(states=frozenset(VersionState)))}
    health.documents = len(marked)
    for uid in marked:
        if uid not in known:
            health.unknown.add(uid, "the store holds a version that the database does not know")


def _contents(engine: Engine, versions: list[Version]) -> dict[VersionUid, bytes | None]:
    contents: dict[VersionUid, bytes | None] = {}
    with WorkerPool(engine.data.capabilities.threads) as pool:
        for version in versions:
            pool.submit(contents.update, lambda uid: {uid: read_head(engine.data, uid)}, version.uid)
        while pool.in_flight:
            pool.wait()
    return contents


def _look_again(engine: Engine, version: Version, faulty: Faults) -> None:
    for now in engine.meta.versions(VersionFilter(uid_prefix=version.uid, states=FINISHED)):
        if now.id == version.id:
            content = read_head(engine.data, now.uid)
            fault = _fault(engine, now, content, lambda name: read_file(engine.data, name) is not None)
            if fault:
                faulty.add(now.uid, fault)


def _fault(engine: Engine, version: Version, content: bytes | None, is_there: Callable[[str], bool]) -> str:
    """Why a version could not be made again from its document; empty if it could, as far as a look at that tells."""
    if content is None:
        return "the store has no copy of its metadata"
    try:
        document = decode_document(version.uid, content)
    except DamageError as error:
        return str(error)
    if content_digest(document.version.digest) != content_digest(version.digest):
        return "the copy of its metadata is of other contents"
    if document.runs is None:
        return "the copy of its metadata holds no block map" if engine.options.metadata_copies else ""
    missing = [pack.name for pack in document.packs if not is_there(pack.name)]
    if missing:
        return f"the copy of its metadata needs {missing[0]}, which is not there"
    # Whether it is damaged is no reason: that may have been found a moment ago.
    if replace(document.version, state=version.state) != replace(current_head(version), state=version.state):
        return "the copy of its metadata is out of date"
    return ""
