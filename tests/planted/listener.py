"""Listeners that break one promise each."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest

from backy2_core.contracts.listener import Listener
from backy2_core.model.event import BackupFinished, DamageFound, Event, JobBegan, JobFailed
from backy2_core.testing.listener import ListenerSuite
from backy2_core.testing.samples import EVENTS
from backy2_core.testing.simple import RecordingListener
from tests.planted.fault import Faults

FAULTS = Faults("listener", (Listener,))
plant = FAULTS.plant
SILENCE_S = 0.3


class Right(RecordingListener):
    """Keeps every promise."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        super().__init__()
        self.server = server

    def notify(self, event: Event) -> None:
        super().notify(event)
        if self.server is not None:
            with contextlib.suppress(OSError), socket.create_connection(self.server, self.patience_s()) as connection:
                connection.sendall(b"?")
                connection.recv(1)

    def patience_s(self) -> float:
        return SILENCE_S


@plant("must return within seconds, the command waits for it", soon_s=0.5)
class WorksTooLong(Right):
    """Takes a second for each event."""

    def notify(self, event: Event) -> None:
        time.sleep(1.0)


@plant("also where whoever is told does not answer", soon_s=1.0)
class WaitsForEver(Right):
    """Waits for one who does not answer (not for ever, so that the tests end)."""

    def patience_s(self) -> float:
        return 3.0


@plant("Events come in any order and more than once")
class WantsABeginning(Right):
    """Takes a failure only of a job that began."""

    def notify(self, event: Event) -> None:
        if isinstance(event, JobFailed) and not any(isinstance(known, JobBegan) for known in self.events):
            raise RuntimeError("this job never began")
        super().notify(event)


@plant("Events come in any order and more than once")
class WantsThemInOrder(Right):
    """Takes what comes only behind what came before it in the list of the contract."""

    def notify(self, event: Event) -> None:
        kinds = [type(known) for known in EVENTS]
        if self.events and type(event) in kinds and kinds.index(type(event)) < kinds.index(type(self.events[-1])):
            raise RuntimeError("too late")
        if type(event) in kinds:
            super().notify(event)


@plant("Events come in any order and more than once")
class TakesEachOnce(Right):
    """Complains of an event that it knows already."""

    def notify(self, event: Event) -> None:
        if event in self.events:
            raise RuntimeError("known already")
        super().notify(event)


@plant("unknown event classes must be ignored")
class KnowsOnlyToday(Right):
    """Complains of an event of a later release."""

    def notify(self, event: Event) -> None:
        if type(event) not in {type(known) for known in EVENTS}:
            raise TypeError(f"unknown event {event!r}")
        super().notify(event)


@plant("unknown event classes must be ignored")
class LooksAtAnyEvent(Right):
    """Takes every event that is none of a few for one of a version."""

    def notify(self, event: Event) -> None:
        if not isinstance(event, JobBegan | JobFailed) and "Cleanup" not in type(event).__name__:
            event.version  # type: ignore[union-attr]  # noqa: B018
        super().notify(event)


@plant("Take note of event")
class FailsAtOneKind(Right):
    """Fails at one kind of event."""

    def notify(self, event: Event) -> None:
        if isinstance(event, DamageFound):
            raise KeyError(event.block)
        super().notify(event)


@plant("Take note of event")
class ChangesWhatItIsTold(Right):
    """Changes the event that others are told too."""

    def notify(self, event: Event) -> None:
        if isinstance(event, BackupFinished):
            object.__setattr__(event, "statistics", None)
        super().notify(event)


@plant("Called once, when the command ends, also where there was no event.")
class ClosesOnlyWhatItOpened(Right):
    """Closes what only an event would have opened."""

    def close(self) -> None:
        self.events[-1]
        super().close()


@plant("Called once, when the command ends")
class FailsAtTheEnd(Right):
    """Fails to close once there were events."""

    def close(self) -> None:
        if self.events:
            raise RuntimeError("cannot send")


@plant("Called once, when the command ends", soon_s=0.5)
class ClosesTooLong(Right):
    """Takes a second to close."""

    def close(self) -> None:
        time.sleep(1.0)


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of listener."""

    class Told(ListenerSuite):
        @pytest.fixture
        def listener(self) -> Listener:
            return kind()

        @pytest.fixture
        def make_silent(self):
            return lambda host, port: kind((host, port))

    return Told


globals().update(FAULTS.suites(suite_of, Right))
