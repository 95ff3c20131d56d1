"""The conformance suite for listeners.

An author writes, in a test module of the plugin::

    class TestMyListener(ListenerSuite):
        @pytest.fixture
        def listener(self):
            return MyListener(...)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from backy2_core.contracts.listener import Listener
from backy2_core.model.event import Event
from backy2_core.testing.samples import EVENTS


@dataclass(frozen=True, slots=True)
class EventOfALaterRelease:
    """An event that no listener of today knows."""

    when: datetime = datetime(2030, 1, 1, tzinfo=UTC)


class ListenerSuite:
    """Subclass it, and give the fixture ``listener``."""

    @pytest.fixture
    def listener(self) -> Listener:
        """The listener under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture listener")

    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
    def test_every_event_is_taken_note_of(self, listener: Listener, event: Event) -> None:
        before = repr(event)
        listener.notify(event)
        listener.notify(event)
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

    def test_closing_without_an_event_is_no_error(self, listener: Listener) -> None:
        listener.close()
