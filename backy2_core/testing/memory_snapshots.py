"""A device with snapshots in memory: the contract's words as the shortest code, for tests and as a reference."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backy2_core.contracts.snapshots import Changes, Snapshot, Snapshots
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_core.testing.memory import MemorySource

_SERIALS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A snapshot as the device keeps it."""

    name: str
    serial: int
    content: bytes
    created: datetime
    mark: str


class MemoryDevice:
    """A device of these bytes, which can be changed as other programs would; outlives what is opened on it.

    ``grain`` is in how many bytes it keeps account of what changed and of what is allocated.
    """

    def __init__(self, content: bytes = b"", *, url: str = "memory://device", grain: int = 512) -> None:
        self.url = url
        self.grain = grain
        self.content = bytearray(content)
        self.held: set[str] = set()
        """Names of snapshots that others use: they cannot be removed."""
        self.reads: list[Extent] = []
        """What was read of the sources opened here, all in one list."""
        self._taken: list[_Taken] = []
        self._serial = next(_SERIALS)
        self._changes = 0

    def write(self, offset: int, data: bytes) -> None:
        """Write within the device."""
        self._changed()
        self.content[offset : offset + len(data)] = data

    def discard(self, offset: int, length: int) -> None:
        """Make a range read as zeros."""
        self.write(offset, bytes(length))

    def resize(self, size_bytes: int) -> None:
        """Cut the device, or let it grow by zeros."""
        self._changed()
        del self.content[size_bytes:]
        self.content.extend(bytes(size_bytes - len(self.content)))

    def roll_back(self, name: str) -> None:
        """Make the device what it was at a snapshot."""
        self._changed()
        self.content[:] = self._find(name).content

    def recreate(self, content: bytes) -> None:
        """Another device of the same name, without snapshots, takes the place of this one."""
        self._taken.clear()
        self._serial = next(_SERIALS)
        self.content[:] = content

    def take(self, name: str, mark: str = "") -> Snapshot:
        """Make a snapshot: with no mark as another program would."""
        if any(taken.name == name for taken in self._taken):
            raise SourceError(f"{self.url}@{name} is there already")
        self._taken.append(_Taken(name, next(_SERIALS), bytes(self.content), datetime.now(UTC), mark))
        return self._snapshot(self._taken[-1])

    def drop(self, name: str) -> None:
        """Remove a snapshot, whoever made it."""
        self._taken.remove(self._find(name))

    def names(self) -> list[str]:
        """Names of all snapshots, oldest first."""
        return [taken.name for taken in self._taken]

    def content_of(self, name: str) -> bytes:
        """What a snapshot holds."""
        return self._find(name).content

    def open_snapshots(self, url: str) -> MemorySnapshots:
        """The snapshots, for a URL with or without the name of one."""
        return MemorySnapshots(self, self._name_in(url))

    def open_source(self, url: str) -> MemorySource:
        """The device as it is now, or as it was at the snapshot that the URL names."""
        name = self._name_in(url)
        content = bytes(self.content) if name is None else self._find(name).content
        identity = f"{self._serial}+{self._changes}" if name is None else self._snapshot(self._find(name)).identity
        pieces = range(0, len(content), self.grain)
        data = [Extent(at, min(self.grain, len(content) - at)) for at in pieces if any(content[at : at + self.grain])]
        source = MemorySource(content, data=data, identity=identity)
        source.reads = self.reads
        return source

    def snapshots(self) -> list[Snapshot]:
        """All, oldest first."""
        return [self._snapshot(taken) for taken in self._taken]

    def compare(self, older: Snapshot, newer: Snapshot) -> Iterator[Extent]:
        """The pieces that differ, as far as both reach."""
        old, new = self._same(older).content, self._same(newer).content
        for at in range(0, min(len(old), len(new)), self.grain):
            piece = new[at : at + self.grain]
            if piece != old[at : at + len(piece)]:
                yield Extent(at, len(piece), any(piece))

    def remove(self, snapshot: Snapshot) -> None:
        """Remove one of our own."""
        if not snapshot.own:
            raise SourceError(f"{snapshot.url} was not made by backy2; it stays")
        for taken in self._taken:
            if self._snapshot(taken).identity == snapshot.identity:
                if taken.name in self.held:
                    raise SourceError(f"{snapshot.url} cannot be removed: it is in use")
                self._taken.remove(taken)
                return

    def _changed(self) -> None:
        self._changes += 1

    def _snapshot(self, taken: _Taken) -> Snapshot:
        return Snapshot(
            name=taken.name,
            identity=f"{self._serial}@{taken.serial}",
            url=f"{self.url}@{taken.name}",
            size_bytes=len(taken.content),
            created=taken.created,
            own=bool(taken.mark),
            mark=taken.mark,
        )

    def _same(self, snapshot: Snapshot) -> _Taken:
        taken = self._find(snapshot.name)
        if self._snapshot(taken).identity != snapshot.identity:
            raise SourceError(f"{snapshot.url} is another snapshot than before")
        return taken

    def _find(self, name: str) -> _Taken:
        for taken in self._taken:
            if taken.name == name:
                return taken
        raise SourceError(f"there is no snapshot {self.url}@{name}")

    def _name_in(self, url: str) -> str | None:
        device, at, name = url.partition("@")
        if device != self.url:
            raise SourceError(f"there is no device {device}, but {self.url}")
        return name if at else None


class MemorySnapshots(Snapshots):
    """The snapshots of a :class:`MemoryDevice`."""

    def __init__(self, device: MemoryDevice, named: str | None = None) -> None:
        self._device = device
        if named is not None:
            device.content_of(named)
        self._named = named

    @property
    def named(self) -> Snapshot | None:
        """The one that was named."""
        return next((found for found in self._device.snapshots() if found.name == self._named), None)

    def list(self) -> Sequence[Snapshot]:
        """All as of now."""
        return self._device.snapshots()

    def create(self, mark: str) -> Snapshot:
        """One whose name ends with the mark."""
        return self._device.take(f"backy2-{mark}", mark)

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        """What differs."""
        return Changes(self._device.compare(older, newer))

    def remove(self, snapshot: Snapshot) -> None:
        """Remove one."""
        self._device.remove(snapshot)

    def close(self) -> None:
        """Nothing is held."""
