"""Contract of listeners: plugins that are told what happened."""

from __future__ import annotations

from abc import ABC, abstractmethod

from backy2_core.model.event import Event


class Listener(ABC):
    """Is told of events after the fact.

    Threads: called from the thread that runs the command, one event at a time. An exception is logged with the name of the
    distribution, and changes neither the outcome nor the exit code.
    """

    @abstractmethod
    def notify(self, event: Event) -> None:
        """Take note of ``event``; should return soon, the command waits for it. Unknown event classes must be ignored."""

    def close(self) -> None:
        """Called once, when the command ends."""
