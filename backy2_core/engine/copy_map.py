"""Where the segments of a version's map are copied: taken over from another version's copy, and the rest written to packs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from struct import iter_unpack

from backy2_core.contracts.meta_backend import StoredSegment
from backy2_core.engine.context import Engine
from backy2_core.engine.copy_document import SPARSE_PACK, Document, Pack, joined, single
from backy2_core.engine.copy_files import pack_names, write_pack
from backy2_core.engine.copy_pack import PACK_SEGMENTS, Known, PackBuilder
from backy2_core.engine.stored_map import batches
from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord
from backy2_core.model.segment import (
    ENTRY_BYTES,
    NO_LEAF,
    SPARSE_ENTRY,
    SegmentId,
    VersionDigest,
    blob_ids,
    leaf_of,
    segment_count,
)
from backy2_core.model.version import Version

_NOWHERE = -2
_LEAST_USE = 3
"""A pack of which less than a third is used is not referred to any more: else old packs would live for ever."""
_MANY_PACKS = 64
_BATCH = 2048
_SEGMENTS_A_READ = 64


class CopiedMap:
    """The map of one version, and for each segment where it is copied. Takes 16 bytes a segment."""

    def __init__(self, engine: Engine, version: Version) -> None:
        self.packs: list[Pack] = []
        self._engine = engine
        self._version = version
        self._ids = array("q", engine.meta.read_map(version.id))
        self._pack = array("i", [_NOWHERE]) * len(self._ids)
        self._position = array("i", [0]) * len(self._ids)
        if len(self._ids) != segment_count(version.geometry):
            raise self._damage(f"has {len(self._ids)} of {segment_count(version.geometry)} segments")

    def take_over(self, other: Version, copy: Document) -> None:
        """Refer to the copy of another version wherever it has the same segment at the same place."""
        self.packs = list(copy.packs)
        there = zip(self._ids, self._engine.meta.read_map(other.id), single(copy.runs or ()), strict=False)
        for index, (own, others, (pack, position)) in enumerate(there):
            if own == others:
                self._pack[index], self._position[index] = pack, position
        unwanted = self._hardly_used()
        for index, pack in enumerate(self._pack if unwanted else ()):
            if pack in unwanted:
                self._pack[index] = _NOWHERE

    def write_rest(self, digest: bytes) -> None:
        """Write packs with all segments that are copied nowhere yet.

        Raises :class:`DamageError` if the map is not the one of which ``digest`` was taken.
        """
        writer, found = _PackWriter(self._engine, self._version), VersionDigest(self._version.geometry)
        for indexes in batches(iter(range(len(self._ids))), _BATCH):
            new = [index for index in indexes if self._pack[index] == _NOWHERE]
            digests = dict(self._engine.meta.read_digests({SegmentId(self._ids[i]) for i in indexes}))
            for some in batches(iter(new), _SEGMENTS_A_READ):
                self._write(some, writer)
            for index in indexes:
                found.add(digests.get(SegmentId(self._ids[index]), b""))
        if found.digest() != digest:
            raise self._damage("is not the one that was backed up")
        first = len(self.packs)
        self.packs += writer.finish()
        for index, pack in enumerate(self._pack):
            if pack == _NOWHERE:
                number, self._position[index] = divmod(self._position[index], PACK_SEGMENTS)
                self._pack[index] = first + number

    def document(self, head: Document) -> Document:
        """The document ``head``, with the copy's packs and runs."""
        runs = joined(zip(self._pack, self._position, strict=True))
        used = sorted({run.pack for run in runs} - {SPARSE_PACK})
        number = {pack: new for new, pack in enumerate(used)} | {SPARSE_PACK: SPARSE_PACK}
        return Document(
            head.version,
            head.statistics,
            tuple(self.packs[pack] for pack in used),
            tuple(run._replace(pack=number[run.pack]) for run in runs),
        )

    def _hardly_used(self) -> set[int]:
        """Packs that are better not referred to: little of them is used, or there are too many.

        Where there are too many, half of them go together, so that this is not done again at once.
        """
        uses = Counter(pack for pack in self._pack if pack >= 0)
        few = {pack for pack, count in uses.items() if count * _LEAST_USE < self.packs[pack].segments}
        rest = sorted(uses.keys() - few, key=lambda pack: (uses[pack], pack))
        most = _MANY_PACKS + len(self._ids) // (PACK_SEGMENTS // 2)
        return few.union(rest[: len(rest) - most // 2]) if len(rest) > most else few

    def _write(self, indexes: list[int], writer: _PackWriter) -> None:
        segments = self._engine.meta.read_segments({SegmentId(self._ids[index]) for index in indexes})
        if any(self._ids[index] not in segments for index in indexes):
            raise self._damage("refers to segments that are not stored")
        stored = {blob for segment in segments.values() for blob in blob_ids(segment.data)}
        records = self._engine.meta.read_blobs(stored) if stored else {}
        for index in indexes:
            segment = segments[SegmentId(self._ids[index])]
            if _is_sparse(segment.data):
                self._pack[index], self._position[index] = SPARSE_PACK, 0
            else:
                self._position[index] = writer.add(segment, _blocks(segment.data, records))

    def _damage(self, what: str) -> DamageError:
        return DamageError(
            f"The block map of version {self._version.uid} {what}, so its metadata were not copied into the store."
        )


class _PackWriter:
    """Writes packs as they fill up."""

    def __init__(self, engine: Engine, version: Version) -> None:
        self._data = engine.data
        self._names = pack_names(version.uid)
        self._builder = PackBuilder()
        self._written: list[Pack] = []

    def add(self, segment: StoredSegment, blocks: list[Known]) -> int:
        """Put in the next segment; its position, counted over all packs of this writer."""
        self._builder.add(segment.digest, blocks)
        position = len(self._written) * PACK_SEGMENTS + len(self._builder) - 1
        if len(self._builder) == PACK_SEGMENTS:
            self._flush()
        return position

    def finish(self) -> list[Pack]:
        """Write what is left; all packs that were written."""
        if len(self._builder):
            self._flush()
        return self._written

    def _flush(self) -> None:
        name = next(self._names)
        write_pack(self._data, name, self._builder.finish())
        self._written.append(Pack(name, len(self._builder)))
        self._builder = PackBuilder()


def _is_sparse(data: bytes) -> bool:
    return data == SPARSE_ENTRY * (len(data) // ENTRY_BYTES)


def _blocks(data: bytes, records: Mapping[BlobId, BlobRecord]) -> list[Known]:
    """What is known of the blocks of a packed segment. One whose record is missing or another is lost."""
    return [_block(blob, leaf, records) for blob, leaf in _entries(data)]


def _entries(data: bytes) -> Iterable[tuple[BlobId, bytes]]:
    entries: Iterator[tuple[int, bytes]] = iter_unpack("<q16s", data)
    return ((BlobId(blob), leaf) for blob, leaf in entries)


def _block(blob: BlobId, leaf: bytes, records: Mapping[BlobId, BlobRecord]) -> Known:
    if blob <= 0:
        return SPARSE if blob == SPARSE and leaf == NO_LEAF else LOST
    record = records.get(blob)
    return LOST if record is None or leaf_of(record.checksum) != leaf else record
