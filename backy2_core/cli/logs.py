"""Where log records go: the console (stderr) and the log file."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from backy2_core.cli.masking import MASK, masked_text, masked_words

FILE_FORMAT = "%(asctime)s [%(process)d] %(message)s"
"""``YYYY-MM-DD HH:MM:SS,mmm [PID] message``, the time in local time, as the original wrote it."""

MOST_ALIKE = 20
"""How many warnings or errors of one kind the console shows."""

journal = logging.getLogger("backy2_core.cli.journal")
"""For what belongs in the log file alone: command lines and their outcomes."""

log = logging.getLogger(__name__)

Mask = Callable[[str], str]
"""Takes secrets out of a text."""

_PLACE = "@_@_@"
"""Stands for the mask while words are put into quotes."""


class _OurTree(logging.Filter):
    """Lets our own loggers pass (``backy2...``); of libraries only warnings and worse, unless ``everything``."""

    def __init__(self, *, everything: bool, with_journal: bool) -> None:
        super().__init__()
        self._everything = everything
        self._with_journal = with_journal

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == journal.name:
            return self._with_journal
        return self._everything or record.name.startswith("backy2") or record.levelno >= logging.WARNING


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes ``LEVEL: message`` lines; calls ``before_line`` first, so that a progress bar can make room.

    Of warnings and errors that differ only in their figures (one for each of a million damaged blocks) it shows the first
    twenty. Tracebacks are left to the log file. ``mask`` takes secrets out of a text.
    """

    def __init__(self, stream: TextIO, level: int, before_line: Callable[[], None], mask: Mask) -> None:
        super().__init__(stream)
        self._mask = mask
        self._before_line = before_line
        self._alike: Counter[tuple[str, str]] = Counter()
        self.setLevel(level)
        self.addFilter(_OurTree(everything=level <= logging.DEBUG, with_journal=False))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        kind = (record.name, str(record.msg))
        self._alike[kind] += 1
        if record.levelno >= logging.WARNING and self._alike[kind] > MOST_ALIKE + 1:
            return
        self._before_line()
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if record.levelno >= logging.WARNING and self._alike[record.name, str(record.msg)] > MOST_ALIKE:
            return f"{record.levelname}: more of this kind are in the log file only"
        return self._mask(f"{record.levelname}: {record.getMessage()}")


class Logging:
    """The handlers of one run; :meth:`close` takes them away again, so that runs within one process do not mix."""

    def __init__(self, stream: TextIO, level: int, before_line: Callable[[], None], mask: Mask = masked_text) -> None:
        self._root = logging.getLogger()
        self._mask = mask
        self._old_level = self._root.level
        self._handlers: list[logging.Handler] = []
        self.path: str | None = None
        """The log file, once it is open."""
        self._add(ConsoleHandler(stream, level, before_line, mask))
        self._root.setLevel(min(level, logging.INFO))

    def open_file(self, path: str) -> None:
        """Begin to write to the log file too; where that cannot be, a warning says so and the run goes on."""
        try:
            handler = LogFile(path, self._mask)
        except OSError as error:
            log.warning("The log file %s cannot be written (%s); this run is not recorded.", path, error.strerror)
            return
        self._add(handler)
        self.path = path

    def close(self) -> None:
        """Flush and remove the handlers. Calling it twice does nothing."""
        for handler in self._handlers:
            self._root.removeHandler(handler)
            handler.close()
        self._handlers.clear()
        self._root.setLevel(self._old_level)

    def _add(self, handler: logging.Handler) -> None:
        self._root.addHandler(handler)
        self._handlers.append(handler)


def command_line(argv: Sequence[str]) -> str:
    """The line by which a run can be repeated, without secrets."""
    # The mask goes in last, since it is for people and not for a shell, which would want it in quotes.
    quoted = shlex.join(["backy2", *(word.replace(MASK, _PLACE) for word in masked_words(argv))])
    return quoted.replace(_PLACE, MASK).replace("\n", "\\n")


class _Masking(logging.Formatter):
    """Keeps secrets out of messages and tracebacks: a library may have put one into the text of its exception."""

    def __init__(self, form: str, mask: Mask) -> None:
        super().__init__(form)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


class LogFile(logging.handlers.WatchedFileHandler):
    """The log file, readable for its owner alone. One that was rotated away is opened anew."""

    def __init__(self, path: str, mask: Mask = masked_text) -> None:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        self._complained = False
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setLevel(logging.INFO)
        self.setFormatter(_Masking(FILE_FORMAT, mask))
        self.addFilter(_OurTree(everything=False, with_journal=True))

    def _open(self) -> Any:
        """The stream of the file, which is nobody else's from its first moment on."""
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_private)

    def close(self) -> None:
        """Close the file. What a full disk did not take was complained of when it was written."""
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that the file cannot be written (a full disk); a backup goes on without its log."""
        if not self._complained:
            self._complained = True
            log.warning("The log file %s cannot be written any more: %s", self.baseFilename, sys.exc_info()[1])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
