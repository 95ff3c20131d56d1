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
        """Take note of ``event``; must return within seconds, the command waits for it, also where whoever is told does not
        answer. Events come in any order and more than once; unknown event classes must be ignored."""

    def close(self) -> None:
        """Called once, when the command ends, also where there was no event."""
