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

    Threads: :meth:`read_into` is called from several threads at once; the others from one at a time. The size does not
    change while it is open. Errors of the system or a library become :class:`backy2_core.errors.SourceError`, with the
    URL in the message.
    """

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Size of the device, fixed when it was opened."""

    @property
    def identity(self) -> str:
        """A text that changes whenever the content may have changed, or "" where that cannot be told.

        A backup is continued only on a source of the same identity.
        """
        return ""

    @property
    def threads(self) -> int:
        """How many concurrent :meth:`read_into` calls serve this source best; at least 1."""
        return 2

    @abstractmethod
    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer`` with the bytes from ``offset`` on.

        The range lies within the device; a short read is an error, never zeros. The buffer belongs to the caller and
        must not be kept.
        """

    @abstractmethod
    def allocated(self) -> Iterator[Extent]:
        """The ranges that may hold other bytes than zeros: ascending, disjoint, ``exists`` True.

        Whatever is not within them reads as zeros and is not read. A source that cannot tell yields the whole device.
        Called at most once at a time; may be slow, so it yields as it goes.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What a restore needs: a device of at least ``size_bytes``.

    ``force`` allows writing into one that is there already. ``sparse`` asks that ranges of zeros take no space.
    """

    size_bytes: int
    force: bool
    sparse: bool


class Target(ABC):
    """A device opened for writing by a restore.

    Threads: :meth:`write` and :meth:`zero` are called from several threads at once, never on overlapping ranges.
    Errors become :class:`backy2_core.errors.TargetError`, with the URL in the message.
    """

    @property
    def threads(self) -> int:
        """How many concurrent :meth:`write` calls serve this target best; at least 1."""
        return 2

    @abstractmethod
    def write(self, offset: int, data: memoryview) -> None:
        """Write all of ``data`` at ``offset``. The buffer belongs to the caller and must not be kept."""

    @abstractmethod
    def zero(self, offset: int, length: int) -> None:
        """Make the range read as zeros, whatever was there; without taking space where sparse was asked and it can."""

    @abstractmethod
    def flush(self) -> None:
        """Return only when everything written before is durable."""

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
