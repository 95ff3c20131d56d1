"""The blocks of a version, out of the packs that its copy in the store refers to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.engine.copy_document import SPARSE_PACK, Document
from backy2_core.engine.copy_files import read_file
from backy2_core.engine.copy_pack import PIECE_BLOCKS, OpenPack, open_pack
from backy2_core.engine.seals import content_digest
from backy2_core.errors import DamageError, DataBackendError
from backy2_core.exchange.arriving import ArrivingBlock
from backy2_core.model.blob import SPARSE, BlobId
from backy2_core.model.block import Geometry
from backy2_core.model.segment import (
    ENTRY_BYTES,
    LOST_ENTRY,
    SEGMENT_BLOCKS,
    SPARSE_ENTRY,
    VersionDigest,
    digest_of,
    pack_entry,
    segment_blocks,
    segment_count,
)
from backy2_core.model.version import VersionState

_SHELF_BYTES = 64 * 1024 * 1024


class Shelf:
    """Packs of one store, opened as they are asked for; those used last stay open, up to 64 MiB of them."""

    def __init__(self, data: DataBackend) -> None:
        self.damage: dict[str, str] = {}
        """Packs that cannot be had, and why."""
        self._data = data
        self._open: OrderedDict[str, OpenPack] = OrderedDict()
        self._size = 0

    def pack(self, name: str) -> OpenPack:
        """The pack of this name; raises :class:`DamageError` if it cannot be had."""
        if name in self.damage:
            raise DamageError(self.damage[name])
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        try:
            pack = open_pack(name, read_copied(self._data, name))
        except DamageError as error:
            self.damage[name] = str(error)
            raise
        self._open[name] = pack
        self._size += pack.size_bytes
        while self._size > _SHELF_BYTES and len(self._open) > 1:
            self._size -= self._open.popitem(last=False)[1].size_bytes
        return pack


def copied_blocks(shelf: Shelf, copy: Document, *, lenient: bool) -> Iterator[ArrivingBlock]:
    """The blocks of a version in order, as far as they are known.

    Raises :class:`DamageError` where a pack cannot be had, or blocks are lost although the version was not damaged; if
    ``lenient``, such blocks are left out.
    """
    number, geometry = 0, copy.version.geometry
    lost_may_be = lenient or copy.version.state is VersionState.DAMAGED
    for run in copy.runs or ():
        try:
            pack = None if run.pack == SPARSE_PACK else shelf.pack(copy.packs[run.pack].name)
        except DamageError:
            if not lenient:
                raise
            number += run.length * PIECE_BLOCKS
            continue
        for position in range(run.first, run.first + run.length):
            expected = min(PIECE_BLOCKS, geometry.count - number)
            blocks = [SPARSE] * expected if pack is None else pack.piece(position)
            if len(blocks) != expected or expected <= 0:
                raise DamageError(f"The copy of version {copy.version.uid} does not fit its size at block {number}.")
            for block in blocks:
                if not isinstance(block, int):
                    yield ArrivingBlock(number, block)
                elif block == SPARSE:
                    yield ArrivingBlock(number, None)
                elif not lost_may_be:
                    raise DamageError(f"Block {number} of version {copy.version.uid} was not known when it was copied.")
                number += 1


def check_copy(shelf: Shelf, copy: Document) -> None:
    """Raise :class:`DamageError` if the version could not be made again from its copy as it was."""
    geometry, digest = copy.version.geometry, VersionDigest(copy.version.geometry)
    blocks = copied_blocks(shelf, copy, lenient=False)
    waiting = next(blocks, None)
    for index in range(segment_count(geometry)):
        entries = bytearray(LOST_ENTRY * segment_blocks(geometry, index))
        while waiting is not None and waiting.number // SEGMENT_BLOCKS == index:
            _put(entries, waiting, geometry)
            waiting = next(blocks, None)
        digest.add(digest_of(entries))
    if digest.digest() != content_digest(copy.version.digest):
        raise DamageError(f"The copy of version {copy.version.uid} does not fit its digest.")


def _put(entries: bytearray, block: ArrivingBlock, geometry: Geometry) -> None:
    if block.blob is not None and block.blob.size != geometry.length(block.number):
        raise DamageError(f"Block {block.number} has {block.blob.size} bytes in the copy, which does not fit.")
    at = block.number % SEGMENT_BLOCKS * ENTRY_BYTES
    # The digest is of leaves only, so any id above 0 will do.
    entry = SPARSE_ENTRY if block.blob is None else pack_entry(BlobId(1), block.blob.checksum)
    entries[at : at + ENTRY_BYTES] = entry


def read_copied(data: DataBackend, name: str) -> bytes | None:
    """The bytes of a document. One that the store cannot read, and never will, is damaged."""
    try:
        return read_file(data, name)
    except DataBackendError as error:
        if error.retryable:
            raise
        raise DamageError(f"{name} cannot be read: {error}") from error
