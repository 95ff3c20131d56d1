"""The copy of a version's metadata in the store, from which ``backy2 recover`` makes the version again.

A copy is written before its version becomes valid: first packs with those pieces of its map (16 blocks each) that no pack
holds yet, then the document, which refers to packs. What another version of the same name has copied already is referred to
where it is, so that a copy costs what changed. The document is written last and atomically: whatever is cut off leaves packs
that nothing refers to, and a cleanup takes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.copy_document import Document, decode_document, encode_document, head_of
from backy2_core.engine.copy_files import read_head, write_head
from backy2_core.engine.copy_map import CopiedMap
from backy2_core.engine.lookup import get_version
from backy2_core.engine.seals import content_digest
from backy2_core.errors import DamageError, DataBackendError
from backy2_core.model.version import FINISHED, Statistics, Version, VersionFilter, VersionState, VersionUid

log = logging.getLogger(__name__)


def write_copy(
    engine: Engine,
    version: Version,
    digest: bytes,
    statistics: Sequence[Statistics] = (),
    *,
    base: Version | None = None,
    damaged: bool = False,
    usable: Callable[[Document], bool] | None = None,
    anew: bool = False,
) -> None:
    """Write the copy of a version whose map is complete in the database; durable on return.

    Every version needs one before it becomes valid, since the document is also the marker of INVARIANT 6; where copies are
    switched off it is that only. A copy of the same contents that is there already is kept, and what it says of the
    version is brought up to date, unless it is to be made ``anew``. ``base`` is the version that this one was made from.
    Copies that are not ``usable`` are not referred to.

    Raises :class:`DamageError` if the map in the database is not the one of which ``digest`` was taken.
    """
    if not engine.data.capabilities.persistent:
        return
    head = head_of(version, digest, damaged=damaged)
    marker = Document(head, tuple(statistics))
    there = None if anew else read_copy(engine.data, version.uid)
    if there is not None and there.runs is not None and content_digest(there.version.digest) == content_digest(digest):
        _write_changed(engine.data, there, replace(marker, packs=there.packs, runs=there.runs))
    elif not engine.options.metadata_copies:
        _write(engine.data, marker)
    else:
        _write(engine.data, _copied_map(engine, version, digest, base, usable).document(marker))


def update_copy(engine: Engine, uid: VersionUid) -> None:
    """Bring up to date what the copy of a finished version says of it, after tags, protection or expiry were changed.

    Where there is no copy, none is written: a cleanup does that.
    """
    version = get_version(engine.meta, uid)
    there = read_copy(engine.data, uid) if version.state in FINISHED else None
    if there is not None:
        _write_changed(engine.data, there, replace(there, version=current_head(version)))


def current_head(version: Version) -> Version:
    """A finished version as its document should have it."""
    return head_of(version, version.digest, damaged=version.state is VersionState.DAMAGED)


def read_copy(data: DataBackend, uid: VersionUid) -> Document | None:
    """The document of a version; None if there is none, or none that can be used, which is logged."""
    try:
        content = read_head(data, uid)
        return None if content is None else decode_document(uid, content)
    except (DamageError, DataBackendError) as error:
        if error.retryable:
            raise
        log.warning("The copy of version %s in the store cannot be used: %s", uid, error)
        return None


def _copied_map(
    engine: Engine, version: Version, digest: bytes, base: Version | None, usable: Callable[[Document], bool] | None
) -> CopiedMap:
    """The map of the version, all of it copied; at first as far as the copy of one other version goes."""
    copied = CopiedMap(engine, version)
    for other, copy in _patterns(engine, version, base):
        if usable is None or usable(copy):
            copied.take_over(other, copy)
            break
    copied.write_rest(digest)
    return copied


def _patterns(engine: Engine, version: Version, base: Version | None) -> Iterator[tuple[Version, Document]]:
    """Versions whose copies may hold pieces of this one, the likeliest first: its base, then the newest of its name."""
    for other in filter(None, (base, _newest(engine.meta, version))):
        copy = read_copy(engine.data, other.uid)
        if (
            copy is not None
            and copy.runs is not None
            and content_digest(copy.version.digest) == content_digest(other.digest)
        ):
            yield other, copy
        else:
            log.info("The store has no copy of the map of version %s that could be referred to", other.uid)


def _newest(meta: MetaBackend, version: Version) -> Version | None:
    same = meta.versions(VersionFilter(name=version.name, states=FINISHED))
    alike = (other for other in same if other.geometry.block_size == version.geometry.block_size)
    return max((other for other in alike if other.uid != version.uid), key=lambda v: (v.date, v.id), default=None)


def _write_changed(data: DataBackend, document: Document, new: Document) -> None:
    if new != document:
        _write(data, new)


def _write(data: DataBackend, document: Document) -> None:
    write_head(data, document.version.uid, encode_document(document))
