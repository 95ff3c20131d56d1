"""How far a job is: a bar on a terminal, the process title, or lines in the log."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from backy2_core.cli import units
from backy2_core.cli.masking import masked_text

log = logging.getLogger(__name__)

LOG_INTERVAL_S = 60.0
REDRAW_INTERVAL_S = 0.1
_LEAST_BAR = 10
_CLEAR_LINE = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a phase is: ``done`` of ``total`` in ``unit`` after ``elapsed_s`` seconds."""

    action: str
    total: int
    unit: str
    done: int = 0
    elapsed_s: float = 0.0

    @property
    def percent(self) -> float:
        """0 to 100; a phase without work is finished."""
        return min(100.0, 100.0 * self.done / self.total) if self.total > 0 else 100.0

    @property
    def per_second(self) -> float:
        """The mean speed since the phase began, in ``unit``."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at that speed; None as long as it cannot be told."""
        return (self.total - self.done) / self.per_second if self.per_second > 0 else None

    @property
    def speed_and_rest(self) -> str:
        """``12.3 MB/s, ETA 1m05s``."""
        rest = "" if self.remaining_s is None else f", ETA {units.duration(self.remaining_s)}"
        return units.rate(self.per_second, self.unit) + rest


class View(Protocol):
    """One way to show a snapshot."""

    def show(self, now: Snapshot) -> None:
        """Show how far it is."""

    def close(self) -> None:
        """The phase is over: leave nothing behind."""


class ProgressBoard:
    """The engine's :class:`backy2_core.engine.progress.Progress`, shown in several views at once."""

    def __init__(self, views: Sequence[View], clock: Callable[[], float] = time.monotonic) -> None:
        self._views = views
        self._clock = clock
        self._began = 0.0
        self._phase = Snapshot("", 0, "B")

    def begin(self, action: str, total: int, unit: str) -> None:
        """A phase begins."""
        self._began = self._clock()
        # What a version is called may hold anything; a terminal or a process list must not obey it.
        clean = "".join(char if char.isprintable() else "?" for char in masked_text(action))
        self._phase = Snapshot(clean, total, unit)
        self._show(self._phase)

    def advance(self, done: int) -> None:
        """``done`` of the total are finished."""
        phase = self._phase
        self._show(Snapshot(phase.action, phase.total, phase.unit, done, self._clock() - self._began))

    def finish(self) -> None:
        """The phase is over. Calling it twice does nothing."""
        for view in self._views:
            view.close()

    def _show(self, now: Snapshot) -> None:
        for view in self._views:
            view.show(now)


class Bar:
    """A bar in the last line of a terminal. Threads: :meth:`clear` may be called from any."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._drawn_at = float("-inf")
        self._visible = False
        self._lock = threading.Lock()

    def show(self, now: Snapshot) -> None:
        """Draw the bar, unless it was drawn a moment ago."""
        moment = self._clock()
        if moment - self._drawn_at < REDRAW_INTERVAL_S and now.done < now.total:
            return
        self._drawn_at = moment
        line = bar_line(now, shutil.get_terminal_size().columns - 1)
        with self._lock:
            self._visible = True
            self._stream.write(_CLEAR_LINE + line)
            self._stream.flush()

    def clear(self) -> None:
        """Make the line empty, so that something else can be written there."""
        with self._lock:
            if self._visible:
                self._visible = False
                self._stream.write(_CLEAR_LINE)
                self._stream.flush()

    def close(self) -> None:
        """Remove the bar; the next phase draws at once."""
        self.clear()
        self._drawn_at = float("-inf")


class Title:
    """The process title: ``backy2 [Scrubbing Version UID (12.3%) 85.2 MB/s ETA 1m05s]``."""

    def __init__(self, process_name: str) -> None:
        self._process_name = process_name

    def show(self, now: Snapshot) -> None:
        """Set the title."""
        pace = f" {now.speed_and_rest.replace(',', '')}" if now.done and now.elapsed_s > 0 else ""
        self._set(f"{self._process_name} [{now.action} ({now.percent:.1f}%){pace}]")

    def close(self) -> None:
        """Back to the bare name."""
        self._set(self._process_name)

    @staticmethod
    def _set(title: str) -> None:
        # Imported here: most commands run no job, and must not pay for it.
        import setproctitle

        setproctitle.setproctitle(title)


class LogLines:
    """A line in the log every minute, for where nobody watches a terminal."""

    def __init__(self, interval_s: float = LOG_INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._next_s = interval_s

    def show(self, now: Snapshot) -> None:
        """Log a line if the last one is long enough ago; a short phase logs none."""
        if now.elapsed_s < self._next_s:
            return
        self._next_s = now.elapsed_s + self._interval_s
        done, total = units.amount(now.done, now.unit), units.amount(now.total, now.unit)
        log.info("%s: %.1f%% (%s of %s), %s", now.action, now.percent, done, total, now.speed_and_rest)

    def close(self) -> None:
        """The next phase counts its own minutes."""
        self._next_s = self._interval_s


def bar_line(now: Snapshot, width: int) -> str:
    """One line of at most ``width`` characters: the action, shortened if need be, the bar, and the figures."""
    figures = f"{now.percent:5.1f}%  {now.speed_and_rest}"
    room = width - len(figures) - len("  []  ")
    action = _shortened(now.action, room - _LEAST_BAR)
    if room - len(action) < _LEAST_BAR:
        return f"{action}  {figures}"[-width:] if width > 0 else ""
    length = room - len(action)
    filled = round(length * now.percent / 100)
    return f"{action}  [{'=' * filled}{' ' * (length - filled)}]  {figures}"


def _shortened(text: str, length: int) -> str:
    dots = "..."
    return text if len(text) <= length else text[: max(0, length - len(dots))] + dots
