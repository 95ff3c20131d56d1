"""Reading our own dump: every line checked on its way, and all of it by its checksum at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backy2_core.engine.checksums import checksum_bytes
from backy2_core.errors import ConfigError
from backy2_core.exchange import own_format
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.exchange.fields import Fields, is_hex, is_text, is_whole, parse_object
from backy2_core.exchange.inspection import MOST_BLOCKS
from backy2_core.exchange.lines import Lines, shown
from backy2_core.exchange.own_format import Description, from_microseconds
from backy2_core.exchange.own_version import described_chain, described_version
from backy2_core.model.blob import UNKNOWN_SIZE, BlobUid, NewBlob

_UID = re.compile(r"[0-9A-Za-z_-]{4,64}")
_END = re.compile(rb'(\{.*"sha256":")([0-9a-f]{64})"\}\n', re.DOTALL)
_LEAST_MICROSECONDS, _MOST_MICROSECONDS = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The beginnings of the years 1 and 10000."""
_SHORTEST = 5


class OwnDump:
    """A dump from its version on; :attr:`version` is known at once, :meth:`blocks` streams the rest.

    :attr:`store` is the identity of the store that its blobs are in. :attr:`lost` counts the lost blocks read so far.
    """

    def __init__(self, lines: Lines, header: str) -> None:
        self._lines = lines
        self._check_header(header)
        found = parse_object(lines.next() or "null", lines.fault)
        self.version: ArrivingVersion = described_version(found, lines.fault)
        self.store = Fields(found, "the line of the version", lines.fault).text("store")
        self.stored = self.sparse = self.lost = 0
        self._next = 0
        self._descriptions: dict[int, tuple[Description, int]] = {}

    def blocks(self) -> Iterator[ArrivingBlock]:
        """Each block that is not lost, in order. Raises :class:`ExchangeError` where the dump is not as it was written."""
        for text in self._lines:
            end = _END.fullmatch(self._lines.raw)
            if end is not None:
                self._check_end(end, Fields(parse_object(text, self._lines.fault), "the last line", self._lines.fault))
                return
            found = parse_object(text, self._lines.fault)
            if "description" in found:
                self._describe(Fields(found, "the description", self._lines.fault))
            elif "blocks" in found:
                yield from self._entries(Fields(found, "the line of blocks", self._lines.fault))
        raise self._lines.fault("the dump ends here without its last line, so it was cut off; get the whole of it")

    def _check_header(self, header: str) -> None:
        fields = Fields(parse_object(header, self._lines.fault), "the header", self._lines.fault)
        if fields.text("backy2") != own_format.NAME:
            raise self._lines.fault(f"the header {shown(header.strip())} is not that of a dump of a version")
        number = fields.whole("format", 1, 2**31)
        if number > own_format.FORMAT:
            raise self._lines.fault(
                f"the dump has format {number}, this release reads up to {own_format.FORMAT}; use a newer backy2"
            )

    def _check_end(self, end: re.Match[bytes], fields: Fields) -> None:
        if self._lines.sha256(end[1]) != end[2].decode():
            raise self._lines.fault("the checksum of the dump does not fit: something in it was changed on the way")
        found = {key: fields.whole(key, 0, MOST_BLOCKS) for key in ("stored", "sparse", "lost", "blocks")}
        here = {"stored": self.stored, "sparse": self.sparse, "lost": self.lost, "blocks": self._next}
        if found != here or self._next != self.version.geometry.count:
            raise self._lines.fault(
                f"the dump says that it has {found}, it has {here}, and the version {self.version.geometry.count} blocks"
            )
        if self.lost and not self.version.damaged:
            raise self._lines.fault(f"{self.lost} blocks are lost, but the version is said to be valid")
        if self._lines.next():
            raise self._lines.fault("there is something behind the last line")

    def _describe(self, fields: Fields) -> None:
        number = fields.whole("description", 0, own_format.DESCRIPTIONS - 1)
        description = described_chain(fields, self._lines.fault)
        try:
            length = checksum_bytes(description.hash, description.key)
        except ConfigError as error:
            raise self._lines.fault(f"the hash function {description.hash!r} is not known here") from error
        self._descriptions[number] = description, length

    def _entries(self, fields: Fields) -> Iterator[ArrivingBlock]:
        if fields.whole("first", 0, MOST_BLOCKS) != self._next:
            raise self._lines.fault(f"the line of blocks does not begin with block {self._next}, as expected")
        for entry in fields.list("blocks"):
            if not isinstance(entry, list) or len(entry) < 2:
                raise self._wrong(entry)
            if entry[0] in (own_format.SPARSE, own_format.LOST):
                yield from self._run(entry)
            else:
                yield self._stored(entry)

    def _run(self, entry: list[Any]) -> Iterator[ArrivingBlock]:
        kind, count = entry[:2]
        if not is_whole(count, 1, self.version.geometry.count - self._next):
            raise self._wrong(entry)
        if kind == own_format.LOST:
            self.lost += count
        else:
            self.sparse += count
            line = self._lines.number
            yield from (ArrivingBlock(number, None, line) for number in range(self._next, self._next + count))
        self._next += count

    def _stored(self, entry: list[Any]) -> ArrivingBlock:
        if len(entry) < _SHORTEST or self._next >= self.version.geometry.count:
            raise self._wrong(entry)
        number, uid, stored_size, checksum, date = entry[:_SHORTEST]
        envelope = entry[5] if len(entry) > 5 else ""
        damaged = entry[6] if len(entry) > 6 else 0
        described = self._descriptions.get(number) if is_whole(number, 0, own_format.DESCRIPTIONS) else None
        length = self.version.geometry.length(self._next)
        if (
            described is None
            or not (is_text(uid) and _UID.fullmatch(uid))
            or not is_whole(stored_size, UNKNOWN_SIZE, 2**40)
            or not (is_hex(checksum) and len(checksum) == 2 * described[1])
            or not is_whole(date, _LEAST_MICROSECONDS, _MOST_MICROSECONDS - 1)
            or not is_hex(envelope)
            or not is_whole(damaged, 0, 1)
            or not (described[0].transforms or stored_size == length)
        ):
            raise self._wrong(entry)
        blob = NewBlob(
            BlobUid(uid),
            length,
            stored_size,
            described[0].hash,
            bytes.fromhex(checksum),
            described[0].key,
            described[0].transforms,
            bytes.fromhex(envelope),
            from_microseconds(date),
        )
        block = ArrivingBlock(self._next, blob, self._lines.number, bool(damaged))
        self._next += 1
        self.stored += 1
        return block

    def _wrong(self, entry: Any) -> Exception:
        return self._lines.fault(f"block {self._next} is described as {shown(repr(entry))}, which is not understood")
