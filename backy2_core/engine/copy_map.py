"""Where the pieces of a version's map are copied: taken over from another version's copy, and the rest written to packs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from struct import iter_unpack

from backy2_core.contracts.meta_backend import StoredSegment
from backy2_core.engine.context import Engine
from backy2_core.engine.copy_document import NOWHERE, SPARSE_PACK, Document, Pack, Run, joined
from backy2_core.engine.copy_files import pack_names, write_pack
from backy2_core.engine.copy_pack import PACK_PIECES, PIECE_BLOCKS, Known, PackBuilder
from backy2_core.engine.seals import content_digest
from backy2_core.engine.stored_map import batches
from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord
from backy2_core.model.segment import (
    ENTRY_BYTES,
    NO_LEAF,
    SEGMENT_BLOCKS,
    SPARSE_ENTRY,
    SegmentId,
    VersionDigest,
    blob_ids,
    digest_of,
    leaf_of,
    segment_count,
)
from backy2_core.model.version import Version

_PIECES = SEGMENT_BLOCKS // PIECE_BLOCKS
_PIECE_BYTES = PIECE_BLOCKS * ENTRY_BYTES
_SPARSE_PIECE = SPARSE_ENTRY * PIECE_BLOCKS
_LEAST_USE = 3
"""A pack of which less than a third is used is let go, little by little: else old packs would live for ever."""
_MANY_PACKS = 64
_RENEWED_AT_ONCE = 16
"""So that no copy costs much more than what changed: at most a sixteenth of a map is written for tidiness alone."""
_RENEWED_AT_LEAST = 256
_BATCH = 2048
_SEGMENTS_A_READ = 64


class CopiedMap:
    """The map of one version, and for each piece where it is copied. Takes 16 bytes for every 16 to 32 blocks."""

    def __init__(self, engine: Engine, version: Version) -> None:
        self._engine = engine
        self._version = version
        self._ids = array("q", engine.meta.read_map(version.id))
        self._packs: list[Pack] = []
        pieces = -(-version.geometry.count // PIECE_BLOCKS)
        self._pack, self._position = array("i", [NOWHERE]) * pieces, array("i", [0]) * pieces
        if len(self._ids) != segment_count(version.geometry):
            raise self._damage(f"has {len(self._ids)} of {segment_count(version.geometry)} segments")

    def take_over(self, other: Version, copy: Document) -> None:
        """Refer to the copy of another version wherever it has the same piece at the same place."""
        self._packs = list(copy.packs)
        there, changed = _expanded(copy.runs or ()), []
        for index, (own, others) in enumerate(zip(self._ids, self._engine.meta.read_map(other.id), strict=False)):
            if own == others:
                self._keep(slice(index * _PIECES, (index + 1) * _PIECES), there)
            else:
                changed.append((index, SegmentId(own), others))
        for some in batches(iter(changed), _SEGMENTS_A_READ):
            self._compare(some, there)
        self._let_go()

    def write_rest(self, digest: bytes) -> None:
        """Write packs with all pieces that are copied nowhere yet.

        Raises :class:`DamageError` if the map is not the one of which ``digest`` was taken.
        """
        writer, found = _PackWriter(self._engine, self._version), VersionDigest(self._version.geometry)
        for indexes in batches(iter(range(len(self._ids))), _BATCH):
            digests = self._engine.meta.read_digests({SegmentId(self._ids[index]) for index in indexes})
            new = (index for index in indexes if NOWHERE in self._pack[index * _PIECES : (index + 1) * _PIECES])
            for some in batches(new, _SEGMENTS_A_READ):
                self._write(some, writer)
            for index in indexes:
                found.add(digests.get(SegmentId(self._ids[index]), b""))
        if found.digest() != content_digest(digest):
            raise self._damage("is not the one that was backed up")
        self._packs += writer.finish()

    def document(self, head: Document) -> Document:
        """The document ``head``, with the copy's packs and runs."""
        runs = joined(zip(self._pack, self._position, strict=True))
        used = sorted({run.pack for run in runs} - {SPARSE_PACK})
        number = {pack: new for new, pack in enumerate(used)} | {SPARSE_PACK: SPARSE_PACK}
        return Document(
            head.version,
            head.statistics,
            tuple(self._packs[pack] for pack in used),
            tuple(run._replace(pack=number[run.pack]) for run in runs),
        )

    def _keep(self, where: slice, there: tuple[array[int], array[int]]) -> None:
        packs = there[0][where]
        self._pack[where.start : where.start + len(packs)] = packs
        self._position[where.start : where.start + len(packs)] = there[1][where]

    def _compare(
        self, changed: Sequence[tuple[int, SegmentId, SegmentId]], there: tuple[array[int], array[int]]
    ) -> None:
        segments = self._engine.meta.read_segments({number for _, *both in changed for number in both})
        for index, *both in changed:
            own, others = (segments[number].data if number in segments else b"" for number in both)
            for piece, (one, other) in enumerate(zip(_pieces(own), _pieces(others), strict=False), index * _PIECES):
                if one == other:
                    self._keep(slice(piece, piece + 1), there)

    def _let_go(self) -> None:
        """Refer no more to packs of which little is used, nor to the smallest of too many; a few at a time."""
        uses = Counter(self._pack)
        del uses[SPARSE_PACK], uses[NOWHERE]
        by_use = sorted(uses, key=lambda pack: (uses[pack] / self._packs[pack].pieces, pack))
        few = [pack for pack in by_use if uses[pack] * _LEAST_USE < self._packs[pack].pieces]
        surplus = len(uses) - _MANY_PACKS - 2 * len(self._pack) // PACK_PIECES
        small = sorted(uses, key=lambda pack: (uses[pack], pack))[: max(0, 2 * surplus)]
        left = max(_RENEWED_AT_LEAST, len(self._pack) // _RENEWED_AT_ONCE)
        unwanted = set()
        for pack in dict.fromkeys([*small, *few]):
            left -= uses[pack]
            if left < 0:
                break
            unwanted.add(pack)
        for piece, pack in enumerate(self._pack if unwanted else ()):
            if pack in unwanted:
                self._pack[piece] = NOWHERE

    def _write(self, indexes: Sequence[int], writer: _PackWriter) -> None:
        segments = self._engine.meta.read_segments({SegmentId(self._ids[index]) for index in indexes})
        new = [
            (piece, data)
            for index in indexes
            for piece, data in enumerate(_pieces(self._checked(index, segments)), index * _PIECES)
            if self._pack[piece] == NOWHERE
        ]
        wanted = {blob for _, data in new for blob in blob_ids(data)}
        records = self._engine.meta.read_blobs(wanted) if wanted else {}
        for piece, data in new:
            if _SPARSE_PIECE.startswith(data):
                self._pack[piece], self._position[piece] = SPARSE_PACK, 0
            else:
                pack, self._position[piece] = writer.add(_blocks(data, records))
                self._pack[piece] = len(self._packs) + pack

    def _checked(self, index: int, segments: Mapping[SegmentId, StoredSegment]) -> bytes:
        segment = segments.get(SegmentId(self._ids[index]))
        if segment is None or digest_of(segment.data) != segment.digest:
            raise self._damage(f"has a segment {self._ids[index]} that is missing or was changed")
        return segment.data

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

    def add(self, blocks: Sequence[Known]) -> tuple[int, int]:
        """Put in the next piece; returns the number of the pack among those of this writer, and the position in it."""
        if len(self._builder) == PACK_PIECES:
            self._flush()
        self._builder.add(blocks)
        return len(self._written), len(self._builder) - 1

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


def _expanded(runs: Sequence[Run]) -> tuple[array[int], array[int]]:
    """For each piece the pack that it is in, and its position there."""
    packs, positions = array("i"), array("i")
    for pack, first, length in runs:
        packs.extend(array("i", [pack]) * length)
        positions.extend(range(first, first + length))
    return packs, positions


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES))


def _blocks(data: bytes, records: Mapping[BlobId, BlobRecord]) -> list[Known]:
    """What is known of the blocks of a piece. One whose record is missing, or is another's, is lost."""
    return [_block(BlobId(blob), leaf, records) for blob, leaf in iter_unpack("<q16s", data)]


def _block(blob: BlobId, leaf: bytes, records: Mapping[BlobId, BlobRecord]) -> Known:
    if blob <= 0:
        return SPARSE if blob == SPARSE and leaf == NO_LEAF else LOST
    record = records.get(blob)
    return LOST if record is None or leaf_of(record.checksum) != leaf else record
