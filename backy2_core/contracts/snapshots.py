"""Contract of the snapshots of one device: what a source offers that can tell what changed since the last backup."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from backy2_core.model.extent import Extent


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot of a device.

    ``name`` is what people call it. ``identity`` is a text of at most 1000 letters that no other snapshot has, on no
    other device, ever: neither one of the same name made later, nor one of a device that was made anew under the same
    name. It is the ``identity`` of the source that is opened by ``url``. ``created`` is aware, in UTC. ``own`` is True if this
    program made it for a backup, on whatever host and for whatever database, and ``mark`` is then what
    :meth:`Snapshots.create` was given; of any other snapshot it is empty. By the mark the engine knows which backup made
    it, and whether that was one of this installation at all: those of others are never removed.
    """

    name: str
    identity: str
    url: str
    size_bytes: int
    created: datetime
    own: bool
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed from one snapshot to a later one.

    ``extents``: every byte that may differ lies within one of them; ``exists`` is False where the newer one reads as
    zeros. They may come in any order, overlap, and reach beyond the end. What only one of the two sizes covers need
    not be in them. They are read once, to their end, before anything else is asked; :class:`SourceError` may come
    meanwhile.
    ``remarks`` are sentences for the administrator: what made this slower or less exact than it could be, and how to mend it.
    """

    extents: Iterator[Extent]
    remarks: Sequence[str] = ()


class Snapshots(ABC):
    """The snapshots of one device, open for making, comparing and removing them.

    Threads: for one thread at a time. Errors of the system or a library become
    :class:`backy2_core.errors.SourceError`, with the URL in the message. Other programs may make and remove snapshots
    meanwhile.
    """

    @property
    @abstractmethod
    def named(self) -> Snapshot | None:
        """The one that the URL names, which is to be backed up and kept; None if it names the device as it is now."""

    @abstractmethod
    def list(self) -> Sequence[Snapshot]:
        """All that can be opened, oldest first: one can be compared with any behind it. Read anew at each call."""

    @abstractmethod
    def create(self, mark: str) -> Snapshot:
        """Make one of the device as it is now; its name is new, ``own`` is True, and ``mark`` is what is given here.

        The mark is another for each call, 1 to 32 letters (a to z) and digits. It must be kept with the snapshot itself,
        best as a part of its name, so that it is found by :meth:`list` on any host. Killed at any moment, this leaves
        either no snapshot, or one that :meth:`list` shows as own, with its mark.
        """

    @abstractmethod
    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        """What changed between two of them, the older of which stands before the newer in :meth:`list`.

        Nothing that changed is left out, as far as the device knows; more may be in it. Raises :class:`SourceError` if
        one of them is gone, also where another of the same name took its place.
        """

    @abstractmethod
    def remove(self, snapshot: Snapshot) -> None:
        """Remove one whose ``own`` is True.

        One that is not there any more is no error, and one of the same name but of another identity stays. Raises
        :class:`SourceError` where others use it, a clone for one, and for one that is not own; it stays then.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
