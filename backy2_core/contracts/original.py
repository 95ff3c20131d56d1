"""Contract of databases of the original backy2, from which an installation is taken over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from backy2_core.model.original import OriginalBlock, OriginalVersion, Unreadable
from backy2_core.model.version import Statistics


class OriginalDatabase(ABC):
    """The original's own database, of any of its releases; it is only read, never changed, not even its schema.

    What a release did not know yet is left at its default. The original may go on working in it meanwhile: each version is
    read at one moment, but not all versions at the same. A row that cannot be understood costs nothing but itself: in its
    place comes an :class:`Unreadable`.

    Errors: everything becomes :class:`backy2_core.errors.MetaBackendError`, or
    :class:`backy2_core.errors.ExchangeError` where the database is not the original's. Used from one thread.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the database is, for messages; without secrets."""

    @abstractmethod
    def versions(self) -> Iterator[OriginalVersion | Unreadable]:
        """All versions with their tags, by date, then uid, ascending; the unreadable ones first."""

    @abstractmethod
    def blocks(self, uid: str) -> Iterator[OriginalBlock | Unreadable]:
        """The blocks of one version by number ascending, streamed; none if the version is not there (any more)."""

    @abstractmethod
    def statistics(self) -> Iterator[Statistics | Unreadable]:
        """The statistics of its backups by date ascending, also those of versions that were removed since."""

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
