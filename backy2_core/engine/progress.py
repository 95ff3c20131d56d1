"""How far a job is, told to whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows the progress of one job. Called from the thread that runs the command, at most a few times a second."""

    def begin(self, action: str, total: int, unit: str) -> None:
        """A phase begins.

        ``action`` is a phrase for people (``Scrubbing Version UID``), ``total`` in ``unit`` ("B" or a noun).
        """

    def advance(self, done: int) -> None:
        """``done`` of the total are finished."""

    def finish(self) -> None:
        """The phase is over."""


class NoProgress:
    """Shows nothing."""

    def begin(self, action: str, total: int, unit: str) -> None:
        """Ignore."""

    def advance(self, done: int) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
