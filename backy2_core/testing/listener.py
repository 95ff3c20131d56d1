"""The conformance suite for listeners.

An author writes, in a test module of the plugin::

    class TestMyListener(ListenerSuite):
        @pytest.fixture
        def listener(self):
            return MyListener(...)
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from backy2_core.contracts.listener import Listener
from backy2_core.model.event import Event
from backy2_core.testing.outage import SilentServer
from backy2_core.testing.samples import EVENTS

MakeSilent = Callable[[str, int], Listener]


@dataclass(frozen=True, slots=True)
class EventOfALaterRelease:
    """An event that no listener of today knows."""

    when: datetime = datetime(2030, 1, 1, tzinfo=UTC)


class ListenerSuite:
    """Subclass it, and give the fixture ``listener``.

    ``soon_s``: seconds in which each event must be taken note of. A listener that speaks over a network gives the fixture
    ``make_silent`` too: it makes one that tells a host and port, at which nobody ever answers.
    """

    soon_s: float = 10.0

    @pytest.fixture
    def make_silent(self) -> MakeSilent | None:
        """Makes a listener that tells a host and port; to be overridden by what speaks over a network."""
        return None

    @pytest.fixture
    def listener(self) -> Listener:
        """The listener under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture listener")

    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
    def test_every_event_is_taken_note_of(self, listener: Listener, event: Event) -> None:
        before, began = repr(event), time.monotonic()
        listener.notify(event)
        listener.notify(event)
        took_s = time.monotonic() - began
        assert took_s < 2 * self.soon_s, (
            f"the command waited {took_s:.0f} s; expected at most {self.soon_s:g} s an event"
        )
        assert repr(event) == before, "a listener must not change an event"

    def test_events_come_in_any_order(self, listener: Listener) -> None:
        for event in reversed(EVENTS):
            listener.notify(event)

    def test_an_unknown_event_is_ignored(self, listener: Listener) -> None:
        listener.notify(cast(Event, EventOfALaterRelease()))

    def test_it_is_a_listener_and_can_be_closed(self, listener: Listener) -> None:
        assert isinstance(listener, Listener)
        listener.notify(EVENTS[0])
        listener.close()

    def test_nobody_waits_for_one_who_never_answers(self, make_silent: MakeSilent | None) -> None:
        if make_silent is None:
            pytest.skip("declares no fixture make_silent")
        began = time.monotonic()
        with SilentServer() as server:
            listener = make_silent(server.host, server.port)
            # An error is as good: it is logged, and changes nothing.
            with contextlib.suppress(Exception):
                listener.notify(EVENTS[0])
            with contextlib.suppress(Exception):
                listener.close()
        took_s = time.monotonic() - began
        assert took_s < 2 * self.soon_s, f"the command waited {took_s:.0f} s for a listener; set a time-out"

    def test_closing_without_an_event_is_no_error(self, listener: Listener) -> None:
        listener.close()
