"""Writing our own dump: loses nothing, streams, and carries a checksum of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, BinaryIO

from backy2_core.engine.inventory import Item, SparseBlocks, StoredBlock
from backy2_core.engine.seals import content_digest
from backy2_core.errors import ExchangeError
from backy2_core.exchange import own_format
from backy2_core.exchange.own_format import Description, encode, to_microseconds
from backy2_core.model.blob import BlobRecord, BlobState
from backy2_core.model.version import Statistics, Version, VersionState


def write_own(
    out: BinaryIO, version: Version, items: Iterable[Item], statistics: Iterable[Statistics], store: str, *, whole: bool
) -> None:
    """Write the dump of a version with these blocks in order.

    ``store`` is the identity of the store that holds its blobs. Unless ``whole``, some blocks cannot be had: it is written
    as damaged, and without its digest, which would be that of the whole.
    """
    writer = _Writer(out)
    writer.line(own_format.header())
    state = version.state if whole else VersionState.DAMAGED
    described = {"version": _version(version, state, whole=whole), "store": store}
    writer.line(encode(described | {"statistics": [_statistics(entry) for entry in statistics]}))
    for item in items:
        writer.take(item)
    writer.end()


class _Writer:
    """The lines, and the checksum over them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hasher = hashlib.sha256()
        self._numbers: dict[Description, int] = {}
        self._described: dict[int, Description] = {}
        self._next_number = 0
        self._entries: list[list[Any]] = []
        self._first = self._next = 0
        self._bytes = 0
        self._counts = {"stored": 0, own_format.SPARSE: 0, own_format.LOST: 0}

    def line(self, data: bytes) -> None:
        """Write a line."""
        if len(data) > own_format.MOST_LINE:
            raise ExchangeError(f"A line of the dump would have {len(data)} bytes, and no reader takes that.")
        self._hasher.update(data)
        self._out.write(data)

    def take(self, item: Item) -> None:
        """The next blocks."""
        if isinstance(item, StoredBlock):
            self._stored(item.record)
        elif isinstance(item, SparseBlocks):
            self._run(own_format.SPARSE, item.stop - item.start)
        else:
            self._run(own_format.LOST, 1)
        if len(self._entries) >= own_format.BLOCKS_A_LINE or self._bytes >= own_format.LINE_BYTES:
            self._flush()

    def end(self) -> None:
        """Write the last line."""
        self._flush()
        begun = encode(self._counts | {"blocks": self._next, "sha256": ""}).removesuffix(b'"}\n')
        self.line(begun)
        self._out.write(self._hasher.hexdigest().encode() + b'"}\n')

    def _stored(self, record: BlobRecord) -> None:
        number = self._describe(Description(record.hash, record.key, record.transforms))
        entry = [number, record.uid, record.stored_size, record.checksum.hex(), to_microseconds(record.date)]
        if record.envelope or record.state is BlobState.DAMAGED:
            entry.append(record.envelope.hex())
        if record.state is BlobState.DAMAGED:
            entry.append(1)
        self._entries.append(entry)
        self._bytes += 64 + 2 * (len(record.checksum) + len(record.envelope))
        self._next += 1
        self._counts["stored"] += 1

    def _run(self, kind: str, count: int) -> None:
        if self._entries and self._entries[-1][0] == kind:
            self._entries[-1][1] += count
        else:
            self._entries.append([kind, count])
        self._next += count
        self._counts[kind] += count

    def _describe(self, description: Description) -> int:
        """The number of a description, which is written if it has none."""
        known = self._numbers.get(description)
        if known is not None:
            return known
        self._flush()
        number = self._next_number
        self._next_number = (number + 1) % own_format.DESCRIPTIONS
        if number in self._described:
            del self._numbers[self._described[number]]
        self._numbers[description], self._described[number] = number, description
        self.line(encode({"description": number, **description._asdict()}))
        return number

    def _flush(self) -> None:
        if self._entries:
            self.line(encode({"first": self._first, "blocks": self._entries}))
        self._entries, self._first, self._bytes = [], self._next, 0


def _version(version: Version, state: VersionState, *, whole: bool) -> dict[str, Any]:
    return {
        "uid": version.uid,
        "name": version.name,
        "snapshot_name": version.snapshot_name,
        "date": version.date.isoformat(),
        "size_bytes": version.geometry.size_bytes,
        "block_size": version.geometry.block_size,
        "hash": version.hash,
        "source": version.source,
        "source_identity": version.source_identity,
        "base": version.base,
        "hints_digest": version.hints_digest,
        "digest": content_digest(version.digest).hex() if whole else "",
        "state": state.name.lower(),
        "protected": version.protected,
        "expire": version.expire.isoformat() if version.expire else None,
        "tags": sorted(version.tags),
    }


def _statistics(entry: Statistics) -> dict[str, Any]:
    described = {
        "uid": entry.uid,
        "name": entry.name,
        "date": entry.date.isoformat(),
        "size_bytes": entry.size_bytes,
        "size_blocks": entry.size_blocks,
        "duration_s": entry.duration_s,
    }
    return described | asdict(entry.counts)
