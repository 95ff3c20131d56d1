"""Looking at every block of a version of the original before anything of it is believed.

What the original says of a version is checked against what it says of each block: numbers, sizes, shapes, lengths. So
a cut or damaged dump, or a database that contradicts itself, is refused before anything is written.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from backy2_core.engine.digest import hash_function
from backy2_core.errors import ConfigError, ExchangeError
from backy2_core.model.block import MAX_BLOCK_SIZE, MIN_BLOCK_SIZE, Geometry
from backy2_core.model.original import OriginalBlock, OriginalVersion

BLOB_UID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{10}[2-9A-HJ-NP-Za-km-z]{22}")
"""The two shapes of the original's block uids; ours are of the first."""
VERSION_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

MOST_BYTES = 2**60
MOST_BLOCKS = 2**32
MOST_NAME = 255
MOST_MISSING = 2**28
"""Blocks that an incomplete version may lack: 1 PiB of blocks of 4 MiB. No row of a dump pays for one that is missing."""

_CHECKSUM = re.compile(r"[0-9a-f]+")
_ENVKEY = re.compile(r"[0-9a-f]{80}")
_NONCE = re.compile(r"[0-9a-f]{32}|")
_BY_LENGTH = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}
_AMBIGUOUS = 32
"""Bytes of a checksum that several functions of the original's days make; sha512 was its default for 64."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What decides where the original says nothing: the configured block size and hash function, and a hash function that
    the caller names for all blocks (None: it is told from the length of the checksums)."""

    block_size: int
    hash_function: str
    hash_name: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """A version that contradicts itself nowhere.

    ``rows`` blocks are described, ``invalid`` of them marked as damaged, and ``prepared`` dated like the version itself.
    """

    version: OriginalVersion
    geometry: Geometry
    hash: str
    rows: int
    invalid: int
    prepared: int

    @property
    def missing(self) -> int:
        """Blocks that nothing is known of, since the backup was not finished."""
        return self.geometry.count - self.rows + (self.prepared if self.unfinished else 0)

    @property
    def damaged(self) -> bool:
        """True if the original itself did not hold the version, or one of its blocks, for valid."""
        return not self.version.valid or self.invalid > 0

    @property
    def unfinished(self) -> bool:
        """True for a backup that was cut off in a release that wrote all rows first, sparse or as in the base version.

        The original marks a version invalid together with a block of it, or because its backup never ended. Rows that were
        only prepared have the date of the version; what they say of their blocks was never true.
        """
        every_row = self.rows == self.geometry.count
        return every_row and not self.version.valid and not self.invalid and self.prepared > 0

    def is_lost(self, block: OriginalBlock) -> bool:
        """True if nothing is known of a block although there is a row of it."""
        return self.unfinished and block.date == self.version.date


class Inspection:
    """Takes the blocks of a version in order and refuses the first that does not fit.

    ``origin`` says where they are from, for messages.
    """

    def __init__(self, version: OriginalVersion, defaults: Defaults, origin: str, line: int = 0) -> None:
        self._version = version
        self._defaults = defaults
        self._origin = origin
        self._geometry: Geometry | None = None
        self._hash = ""
        self._checksum_length = 0
        self._rows = 0
        self._next = 0
        self._invalid = 0
        self._prepared = 0
        fault = _version_fault(version)
        if fault:
            raise ExchangeError(f"{self._place(line)}: {fault}.")

    def take(self, block: OriginalBlock, line: int = 0) -> None:
        """Look at the next block, which stands in that line. Raises :class:`ExchangeError`."""
        fault = self._number_fault(block) or _shape_fault(block)
        if not fault and self._geometry is None:
            self._geometry, fault = self._geometry_from(block)
        if not fault and self._geometry and block.size != (length := self._geometry.length(block.number)):
            fault = f"the size of block {block.number} is {block.size}, expected {length}"
        if not fault and block.checksum and len(block.checksum) != self._checksum_length:
            fault = self._checksum_fault(block.checksum)
        if fault:
            raise ExchangeError(f"{self._place(line, block.number)}: {fault}.")
        self._rows += 1
        self._next = block.number + 1
        self._invalid += not block.valid
        self._prepared += block.date == self._version.date

    def finish(self, line: int = 0) -> Findings:
        """What was found, once all blocks were taken. ``line`` is the last one."""
        version, missing = self._version, self._version.size_blocks - self._rows
        if version.valid and missing:
            raise ExchangeError(
                f"{self._place(line)}: after {self._rows} blocks of {version.size_blocks} there are no more; version"
                f" {version.uid} is said to be valid, so this was cut off. Get the whole of it."
            )
        if missing > MOST_MISSING:
            raise ExchangeError(f"{self._place(line)}: {missing} blocks are missing, expected at most {MOST_MISSING}.")
        geometry = self._geometry or self._guessed_geometry(line)
        hash_name = self._hash or self._defaults.hash_name or "sha512"
        return Findings(version, geometry, hash_name, self._rows, self._invalid, self._prepared)

    def _place(self, line: int, block: int | None = None) -> str:
        if line:
            return f"{self._origin}, line {line}"
        version = f"{self._origin}, version {self._version.uid[:36]}"
        return version if block is None else f"{version}, block {block}"

    def _number_fault(self, block: OriginalBlock) -> str:
        count = self._version.size_blocks
        if not 0 <= block.number < count:
            return f"there is a block {block.number}, but the version is said to have {count} blocks (0 to {count - 1})"
        if self._version.valid and block.number != self._next:
            return f"expected block {self._next}, found block {block.number}"
        if block.number < self._next:
            return f"block {block.number} does not come after block {self._next - 1}"
        return ""

    def _checksum_fault(self, checksum: str) -> str:
        """Why this checksum cannot be; the first one tells the hash function of all."""
        if self._checksum_length:
            return f"the block's checksum has {len(checksum)} hexadecimal digits, expected {self._checksum_length} as before"
        self._checksum_length = len(checksum)
        self._hash, fault = _hash_of(checksum, self._defaults)
        return fault

    def _geometry_from(self, block: OriginalBlock) -> tuple[Geometry | None, str]:
        """The cutting that the first block tells of, or what is wrong with it."""
        size, count, whole = self._version.size_bytes, self._version.size_blocks, block.size
        if count == 1:
            if block.size != size:
                return None, f"the size of the only block is {block.size}, expected {size}"
            whole = self._block_size_for(size)
        elif block.number == count - 1:
            # An incomplete version of which only the last block is there.
            whole = (size - block.size) // (count - 1)
        return _geometry(size, count, whole)

    def _guessed_geometry(self, line: int) -> Geometry:
        """The cutting of a version without a single block."""
        version = self._version
        size, count = version.size_bytes, version.size_blocks
        configured, fault = _geometry(size, count, self._defaults.block_size)
        if configured is not None:
            return configured
        for power in range(MIN_BLOCK_SIZE.bit_length() - 1, MAX_BLOCK_SIZE.bit_length()):
            guessed, _ = _geometry(size, count, 1 << power)
            if guessed is not None:
                return guessed
        raise ExchangeError(f"{self._place(line)}: {fault}.")

    def _block_size_for(self, length: int) -> int:
        configured = self._defaults.block_size
        return configured if configured >= length else 1 << max(0, length - 1).bit_length()


def _version_fault(version: OriginalVersion) -> str:
    for what, text in (("name", version.name), ("snapshot name", version.snapshot_name)):
        if len(text) > MOST_NAME or "\0" in text:
            return f"the {what} {text[:40]!r}... has {len(text)} characters, expected at most {MOST_NAME} and none of them zero"
    if not VERSION_UID.fullmatch(version.uid):
        return f"the version's uid is {version.uid[:60]!r}, expected a UUID in 36 lower-case characters"
    if not 0 <= version.size_bytes <= MOST_BYTES:
        return f"a version of {version.size_bytes} bytes, expected 0 to {MOST_BYTES}"
    if not 0 <= version.size_blocks <= MOST_BLOCKS:
        return f"a version of {version.size_blocks} blocks, expected 0 to {MOST_BLOCKS}"
    if (version.size_bytes == 0) != (version.size_blocks == 0):
        return f"a version of {version.size_bytes} bytes in {version.size_blocks} blocks"
    return ""


def _shape_fault(block: OriginalBlock) -> str:
    if not block.uid:
        if block.checksum or block.envkey or block.nonce:
            return "a block without a uid is sparse and has neither checksum nor key"
        return ""
    if not BLOB_UID.fullmatch(block.uid):
        return f"the block's uid is {block.uid[:60]!r}, expected 32 characters as the original makes them"
    if not _CHECKSUM.fullmatch(block.checksum):
        return f"the block's checksum is {block.checksum[:60]!r}, expected lower-case hexadecimal digits"
    return _seal_fault(block)


def _seal_fault(block: OriginalBlock) -> str:
    if block.enc_version == 0:
        return "a block that is not encrypted has a key or a nonce" if block.envkey or block.nonce else ""
    if block.enc_version != 1:
        return f"encryption version {block.enc_version}, expected 0 or 1"
    if not _ENVKEY.fullmatch(block.envkey):
        return "the key of an encrypted block is not of 80 lower-case hexadecimal digits"
    if not _NONCE.fullmatch(block.nonce):
        return "the nonce of an encrypted block is not of 32 lower-case hexadecimal digits"
    return ""


def _geometry(size_bytes: int, count: int, block_size: int) -> tuple[Geometry | None, str]:
    try:
        geometry = Geometry(size_bytes, block_size)
    except ValueError as error:
        return None, str(error)
    if geometry.count != count:
        return None, f"{size_bytes} bytes are {geometry.count} blocks of {block_size} bytes, the version has {count}"
    return geometry, ""


def _hash_of(checksum: str, defaults: Defaults) -> tuple[str, str]:
    """The hash function that made a checksum, or why there is none."""
    named, digits = defaults.hash_name, len(checksum)
    if named is not None:
        makes = 2 * _digest_bytes(named)
        wrong = f"the block's checksum has {digits} hexadecimal digits, {named} makes {makes}"
        return named, "" if makes == digits else wrong
    configured = defaults.hash_function
    if digits == 2 * _AMBIGUOUS and hasattr(hashlib, configured) and 2 * _digest_bytes(configured) == digits:
        return configured, ""
    usual = _BY_LENGTH.get(digits // 2, "") if digits % 2 == 0 else ""
    return usual, "" if usual else f"no hash function is known for checksums of {digits} hexadecimal digits"


def _digest_bytes(name: str) -> int:
    try:
        return len(hash_function(name)(memoryview(b"")))
    except ConfigError as error:
        raise ExchangeError(f"The hash function {name!r} is not known here: {error}") from error
