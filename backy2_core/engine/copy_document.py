"""The document of a version: all that is known of it, and where in packs the pieces of its map are.

It is one JSON object. Its last member, ``checksum``, is BLAKE2b-256 over all bytes before the comma that precedes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from backy2_core.errors import DamageError
from backy2_core.model.block import Geometry
from backy2_core.model.version import Counts, Statistics, Version, VersionId, VersionState, VersionUid

FORMAT = 2
SPARSE_PACK = -1
"""In place of a pack's number: pieces that are all sparse, which need no pack."""
NOWHERE = -2
"""In place of a pack's number, only while a copy is made: copied nowhere yet."""

_PERSON = b"backy2 document"
_CHECKSUM = ',\n"checksum":"{}"}}\n'
_CHECKSUM_BYTES = len(_CHECKSUM.format("0" * 64))


class Pack(NamedTuple):
    """A pack that a copy refers to: its name, and how many pieces are in it."""

    name: str
    pieces: int


class Run(NamedTuple):
    """``length`` pieces of a map in a row, at ``first`` and the positions after it in the ``pack``-th of the packs."""

    pack: int
    first: int
    length: int


@dataclass(frozen=True, slots=True)
class Document:
    """What the store keeps of a version.

    ``version`` is as in the database, but for its id (0) and its state, which is valid or damaged. ``runs`` is None where
    the document is a marker only: without a copy of the map nothing can be recovered from it.
    """

    version: Version
    statistics: tuple[Statistics, ...] = ()
    packs: tuple[Pack, ...] = ()
    runs: tuple[Run, ...] | None = None


def head_of(version: Version, digest: bytes, *, damaged: bool) -> Version:
    """A version as its document has it."""
    state = VersionState.DAMAGED if damaged else VersionState.VALID
    return replace(version, id=VersionId(0), state=state, digest=digest)


def encode_document(document: Document) -> bytes:
    """The bytes of a document."""
    members = _head(document)
    if document.runs is not None:
        members |= {"packs": document.packs, "map": document.runs}
    # A line a member, so that people can read it; the lists are too long for a line an item.
    lines = (f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in members.items())
    text = "{" + ",\n".join(lines)
    return (text + _CHECKSUM.format(_checksum(text.encode()))).encode()


def decode_document(uid: VersionUid, content: bytes) -> Document:
    """The document of version ``uid``; of a marker of the first format as far as it goes.

    Raises :class:`DamageError` if it is not as it was written, or is of a later release.
    """
    try:
        members = json.loads(content)
        number = int(members["format"])
        if number > FORMAT:
            raise DamageError(f"The document of version {uid} has format {number}, of a later release; use that.")
        if number > 1 and content[-_CHECKSUM_BYTES:].decode() != _CHECKSUM.format(
            _checksum(content[:-_CHECKSUM_BYTES])
        ):
            raise DamageError(f"The document of version {uid} is damaged: its checksum does not fit.")
        document = _document(members)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"The document of version {uid} cannot be read: {error!r}.") from error
    if document.version.uid != uid:
        raise DamageError(f"The document of version {uid} is that of version {document.version.uid}.")
    return document


def joined(references: Iterable[tuple[int, int]]) -> list[Run]:
    """Runs of single references (pack, position)."""
    runs: list[Run] = []
    pack, first, following = NOWHERE, 0, 0
    for number, at in references:
        if number != pack or (at != following and number != SPARSE_PACK):
            if following > first:
                runs.append(Run(pack, first, following - first))
            pack = number
            first = following = 0 if number == SPARSE_PACK else at
        following += 1
    if following > first:
        runs.append(Run(pack, first, following - first))
    return runs


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32, person=_PERSON).hexdigest()


def _head(document: Document) -> dict[str, Any]:
    version = document.version
    return {
        "format": FORMAT,
        "uid": version.uid,
        "name": version.name,
        "snapshot_name": version.snapshot_name,
        "date": _text(version.date),
        "size_bytes": version.geometry.size_bytes,
        "block_size": version.geometry.block_size,
        "hash": version.hash,
        "source": version.source,
        "source_identity": version.source_identity,
        "base": version.base,
        "hints_digest": version.hints_digest,
        "digest": version.digest.hex(),
        "key": version.key,
        "damaged": version.state is VersionState.DAMAGED,
        "protected": version.protected,
        "expire": version.expire and _text(version.expire),
        "tags": sorted(version.tags),
        "statistics": [_statistics_out(entry) for entry in document.statistics],
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _statistics_out(entry: Statistics) -> dict[str, Any]:
    return {
        "name": entry.name,
        "date": _text(entry.date),
        "size_bytes": entry.size_bytes,
        "size_blocks": entry.size_blocks,
        "duration_s": entry.duration_s,
        **asdict(entry.counts),
    }


def _document(members: dict[str, Any]) -> Document:
    version = _version(members)
    statistics = tuple(_statistics_in(version.uid, entry) for entry in members.get("statistics", ()))
    if "map" not in members:
        return Document(version, statistics)
    packs = tuple(Pack(str(name), int(pieces)) for name, pieces in members["packs"])
    return Document(version, statistics, packs, _runs(members["map"], packs))


def _version(members: dict[str, Any]) -> Version:
    expire, base = members.get("expire"), members.get("base")
    return Version(
        id=VersionId(0),
        uid=VersionUid(members["uid"]),
        name=members["name"],
        snapshot_name=members["snapshot_name"],
        date=datetime.fromisoformat(members["date"]),
        geometry=Geometry(members["size_bytes"], members["block_size"]),
        hash=members["hash"],
        source=members.get("source", ""),
        source_identity=members.get("source_identity", ""),
        base=None if base is None else VersionUid(base),
        hints_digest=members.get("hints_digest", ""),
        digest=bytes.fromhex(members["digest"]),
        state=VersionState.DAMAGED if members.get("damaged") else VersionState.VALID,
        protected=bool(members.get("protected")),
        expire=None if expire is None else datetime.fromisoformat(expire),
        tags=frozenset(members.get("tags", ())),
        key=members.get("key", ""),
    )


def _statistics_in(uid: VersionUid, entry: dict[str, Any]) -> Statistics:
    return Statistics(
        uid=uid,
        name=entry["name"],
        date=datetime.fromisoformat(entry["date"]),
        size_bytes=entry["size_bytes"],
        size_blocks=entry["size_blocks"],
        counts=Counts(**{field.name: int(entry[field.name]) for field in fields(Counts)}),
        duration_s=entry["duration_s"],
    )


def _runs(listed: Sequence[Sequence[int]], packs: Sequence[Pack]) -> tuple[Run, ...]:
    runs = tuple(Run(*run) for run in listed)
    for run in runs:
        if run.pack != SPARSE_PACK and not 0 <= run.first < run.first + run.length <= packs[run.pack].pieces:
            raise ValueError(f"{run} is not within its pack")
    return runs
