"""Exporting a version: what it consists of decides the format, then it is streamed. Needs the database alone."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.inventory import Item, SparseBlocks, inventory
from backy2_core.engine.progress import Progress
from backy2_core.engine.stored_map import StoredMap, read_stored_map
from backy2_core.errors import ExchangeError, RefusedError, UsageError
from backy2_core.exchange.contents import Contents, left_out, look_at
from backy2_core.exchange.original_writer import write_original
from backy2_core.exchange.own_writer import write_own
from backy2_core.model.version import Statistics, Version, VersionState

log = logging.getLogger(__name__)

_SHOW_EVERY_S = 0.2


class DumpFormat(enum.StrEnum):
    """The formats that dumps are written in."""

    ORIGINAL = "original"
    """As release 2.9 of the original wrote them."""
    OWN = "own"


class Export:
    """A version about to be exported, once all of it was looked at; :attr:`format` is the one that it will be written in.

    Raises :class:`RefusedError` for a version that is not finished, :class:`UsageError` where ``wanted`` cannot carry it,
    and :class:`backy2_core.errors.DamageError` where its block map is damaged.
    """

    def __init__(self, meta: MetaBackend, version: Version, wanted: DumpFormat | None, progress: Progress) -> None:
        if version.state not in (VersionState.VALID, VersionState.DAMAGED):
            raise RefusedError(
                f"Version {version.uid} is {version.state.name.lower()}, and only what is complete can be exported;"
                f" `backy2 backup -c {version.uid} SOURCE NAME` continues its backup."
            )
        self._meta = meta
        self._version = version
        self._progress = progress
        self._map: StoredMap = read_stored_map(meta, version)
        self._statistics: list[Statistics] = meta.statistics(version.uid)
        self._contents = look_at(self._items("Looking at"))
        self.format = self._choose(wanted)

    def write(self, out: BinaryIO) -> None:
        """Write the dump."""
        self._warn()
        items = self._items("Exporting")
        if self.format is DumpFormat.ORIGINAL:
            write_original(out, self._version, items)
            return
        write_own(out, self._version, self._steady(items), self._statistics, self._store(), whole=self._contents.whole)

    def _choose(self, wanted: DumpFormat | None) -> DumpFormat:
        if wanted is None:
            return DumpFormat.ORIGINAL if self._contents.is_usual(self._version) else DumpFormat.OWN
        obstacle = self._contents.obstacle()
        if wanted is DumpFormat.ORIGINAL and obstacle:
            raise UsageError(
                f"The original's format cannot carry version {self._version.uid}: {obstacle}. Use --dump-format"
                f" {DumpFormat.OWN}."
            )
        return wanted

    def _warn(self) -> None:
        version, contents = self._version, self._contents
        things = left_out(version, contents, self._statistics) if self.format is DumpFormat.ORIGINAL else []
        if things:
            log.warning(
                "The original's format has no place for these of version %s: %s; --dump-format %s carries all",
                version.uid,
                ", ".join(things),
                DumpFormat.OWN,
            )
        if contents.lost:
            log.warning("%d blocks of version %s are lost; the dump says so", contents.lost, version.uid)

    def _store(self) -> str:
        """The identity of the store that its blobs are in; no backup mixes stores."""
        identities = {info.id: info.identity for info in self._meta.stores()}
        return next((identities[store] for store in self._contents.stores if store in identities), "")

    def _items(self, action: str) -> Iterator[Item]:
        version, shown_at, done = self._version, time.monotonic(), 0
        self._progress.begin(f"{action} {version.name} ({version.uid})", version.geometry.count, "blocks")
        try:
            for item in inventory(self._meta, self._map):
                yield item
                done += item.stop - item.start if isinstance(item, SparseBlocks) else 1
                if time.monotonic() - shown_at >= _SHOW_EVERY_S:
                    shown_at = time.monotonic()
                    self._progress.advance(done)
        finally:
            self._progress.finish()

    def _steady(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items; they must still be those that were looked at, since the head of the dump speaks of them."""
        seen = Contents()
        for item in items:
            seen.count(item)
            yield item
        if seen.lost != self._contents.lost:
            raise ExchangeError(
                f"Blocks of version {self._version.uid} were lost while it was exported; was it removed? Nothing was written."
            )
