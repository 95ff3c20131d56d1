"""Getting blobs back, checked: what restore and scrub share. INVARIANT 5 lives here.

The damage that is *proven* (the store says that the blob is missing, or its bytes are not those that were put) is told from
an error that proves nothing (a time-out, a wrong key), which ends the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.engine.chain import Chain
from backy2_core.engine.checksums import Checksums
from backy2_core.engine.inventory import StoredBlock
from backy2_core.errors import BlobDamagedError, BlobNotFoundError, ConfigError
from backy2_core.model.blob import UNKNOWN_SIZE, BlobRecord

MOST_SWELLING = 16
"""How many times as long as its block a blob may be said to be, to be believed."""
_HEADERS = 4096

UseBlock = Callable[[StoredBlock, memoryview], None]
"""What is done with a checked block, on the worker's thread; the bytes are only lent."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome for one block: ``reason`` is empty if it was whole and was used; the blob then had ``stored_size`` bytes."""

    block: StoredBlock
    reason: str
    stored_size: int = 0


def room_for(record: BlobRecord) -> int:
    """Bytes of buffer that the blob needs; where its length is not known yet, the most that packing can make of the block."""
    if record.stored_size == UNKNOWN_SIZE:
        return record.size + record.size // 128 + _HEADERS
    return record.stored_size


@dataclass(frozen=True, slots=True)
class Fetcher:
    """All that fetching needs. Runs on any worker thread."""

    data: DataBackend
    chain: Chain
    checksums: Checksums
    use: UseBlock

    def fetch(self, blocks: Sequence[StoredBlock], buffer: memoryview) -> list[Fetched]:
        """Get blobs one after the other, check each, and use its bytes only if they are those that were backed up.

        The buffer has room for what is stored of all of them together.
        """
        fetched, at = [], 0
        for block in blocks:
            stop = at + room_for(block.record)
            fetched.append(self._fetch(block, buffer[at:stop]))
            at = stop
        return fetched

    def _fetch(self, block: StoredBlock, buffer: memoryview) -> Fetched:
        record = block.record
        try:
            length = self.data.get(record.uid, buffer)
        except BlobNotFoundError:
            return Fetched(block, "its blob is missing")
        except BlobDamagedError as error:
            return Fetched(block, f"its blob is damaged: {error}")
        if length != record.stored_size != UNKNOWN_SIZE:
            return Fetched(block, f"its blob has {length} bytes, {record.stored_size} were stored")
        try:
            clear = self.chain.unseal(record, buffer[:length])
        except BlobDamagedError as error:
            return Fetched(block, f"its blob is damaged: {error}")
        if len(clear) != record.size:
            return Fetched(block, f"its blob unpacks to {len(clear)} bytes, {record.size} were backed up")
        try:
            checksum = self.checksums.function(record.hash, record.key)
        except ConfigError as error:
            return Fetched(block, f"the record of its blob cannot be right: {error}")
        if checksum(clear) != record.checksum:
            return Fetched(block, "its blob has a wrong checksum")
        self.use(block, clear)
        return Fetched(block, "", length)
