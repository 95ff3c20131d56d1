"""Contract of sources (what is backed up) and targets (what a restore writes to)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from backy2_core.model.extent import Extent


class Source(ABC):
    """A device opened for reading.

    Threads: :meth:`read_into` is called from several threads at once, also while :meth:`allocated` is gone through; the
    others from one at a time. Errors of the system or a library become :class:`backy2_core.errors.SourceError`, with
    the URL in the message; so does opening what is not there. No call waits for ever for a device that does not answer.
    """

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Size of the device, fixed when it was opened: it does not change while it is open, whatever the device does."""

    @property
    def identity(self) -> str:
        """A text that changes whenever the content may have changed, or "" where that cannot be told.

        As of the opening. A backup is continued only on a source of the same identity.
        """
        return ""

    @property
    def threads(self) -> int:
        """How many concurrent :meth:`read_into` calls serve this source best; at least 1."""
        return 2

    @abstractmethod
    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer`` with the bytes from ``offset`` on.

        What lies beyond the end of the device, or cannot be read any more since it became shorter, is a
        :class:`SourceError`, never zeros. The buffer has at least one byte, may be a part of a larger one, belongs to the
        caller and must not be kept.
        """

    @abstractmethod
    def allocated(self) -> Iterator[Extent]:
        """The ranges that may hold other bytes than zeros: ascending, disjoint, within the device, ``exists`` True.

        Whatever is not within them reads as zeros and is not read. A source that cannot tell yields the whole device.
        Called at most once at a time, and again after that; may be slow, so it yields as it goes.
        """

    def confirm(self) -> None:
        """Raise :class:`SourceError` where what was read may not be what was opened.

        Asked when all was read, before anybody believes it. For devices that give other bytes, and no error, once what is
        read was removed: a snapshot of RBD for one. All others have nothing to do here.
        """
        return

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing. Reading behind it raises :class:`SourceError`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What a restore needs: a device of at least ``size_bytes``; a smaller one is refused with a :class:`TargetError`.

    ``force`` allows writing into one that is there already; without it that is refused, and the device stays as it is.
    ``sparse`` asks that ranges of zeros take no space.
    """

    size_bytes: int
    force: bool
    sparse: bool


class Target(ABC):
    """A device opened for writing by a restore.

    Threads: :meth:`write` and :meth:`zero` are called from several threads at once, never on overlapping ranges, and
    always within the size that was asked for. Errors become :class:`backy2_core.errors.TargetError`, with the URL in the
    message. No call waits for ever for a device that does not answer. What is neither written nor zeroed is left as it
    was on a device that was there, and reads as zeros on one that was made.
    """

    @property
    def threads(self) -> int:
        """How many concurrent :meth:`write` calls serve this target best; at least 1."""
        return 2

    @abstractmethod
    def write(self, offset: int, data: memoryview) -> None:
        """Write all of ``data`` at ``offset``.

        The buffer may be read-only and a part of a larger one, belongs to the caller and must not be kept.
        """

    @abstractmethod
    def zero(self, offset: int, length: int) -> None:
        """Make the range, which may be empty, read as zeros, whatever was there; without taking space where sparse was
        asked and it can."""

    @abstractmethod
    def flush(self) -> None:
        """Return only when everything written before is durable, and so is the device itself if it was made."""

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing. Any other call behind it raises :class:`TargetError`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
