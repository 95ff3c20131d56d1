"""What workers do with a run of blocks: read and digest it, and seal and store those that are new.

These functions run on any worker thread, touch only what they are given, and return a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.source import Source
from backy2_core.engine.chain import Chain
from backy2_core.engine.digest import HashFunction, ZeroTest
from backy2_core.engine.plan import Run
from backy2_core.model.blob import BlobUid, NewBlob
from backy2_core.model.block import Geometry


@dataclass(frozen=True, slots=True)
class Reader:
    """All that reading and digesting needs."""

    source: Source
    geometry: Geometry
    hash: HashFunction
    is_zero: ZeroTest

    def read(self, runs: Sequence[Run], buffer: memoryview) -> list[bytes | None]:
        """Read runs of blocks into the buffer, one behind the other; the checksums of all blocks in order.

        None stands for a block of zeros.
        """
        checksums: list[bytes | None] = []
        at = 0
        for run in runs:
            length = self.geometry.span_length(run.start, len(run))
            checksums += self._read(run, buffer[at : at + length])
            at += length
        return checksums

    def _read(self, run: Run, data: memoryview) -> list[bytes | None]:
        self.source.read_into(self.geometry.offset(run.start), data)
        size = self.geometry.block_size
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        return [None if self.is_zero(piece) else self.hash(piece) for piece in pieces]


@dataclass(frozen=True, slots=True)
class ToStore:
    """A new block: where it lies in the buffer, and the uid it is to be stored under."""

    uid: BlobUid
    at: int
    length: int
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Storer:
    """All that sealing and storing needs."""

    data: DataBackend
    chain: Chain
    hash_name: str

    def store(self, blocks: Sequence[ToStore], buffer: memoryview) -> list[NewBlob]:
        """Seal and put each block; what is to be recorded once they are durable."""
        return [self._store(block, buffer[block.at : block.at + block.length]) for block in blocks]

    def _store(self, block: ToStore, clear: memoryview) -> NewBlob:
        sealed = self.chain.seal(clear)
        self.data.put(block.uid, sealed.data)
        return NewBlob(
            uid=block.uid,
            size=block.length,
            stored_size=len(sealed.data),
            hash=self.hash_name,
            checksum=block.checksum,
            key=self.chain.key,
            transforms=sealed.transforms,
            envelope=sealed.envelope,
        )
