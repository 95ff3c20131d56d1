"""How a run ends: the exit code, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from backy2_core.cli.signals import Terminated
from backy2_core.errors import BackyError, UsageError

EXIT_USAGE = UsageError.exit_code
EXIT_UNEXPECTED = BackyError.exit_code
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141

SIGNAL_CODES = {
    129: "A hang-up (SIGHUP) ended the command in order.",
    EXIT_INTERRUPTED: "Ctrl-C (SIGINT) ended the command in order.",
    EXIT_OUTPUT_CLOSED: "Whoever read the output went away before its end (`backy2 ls | head`).",
    143: "SIGTERM ended the command in order.",
}
"""Exit codes that come from outside, beside those of the error tree."""


class OutputClosed(Exception):
    """Standard output is a pipe, and its reader is gone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run. ``message`` is None where there is nothing to say; ``unexpected`` is a defect of some kind."""

    exit_code: int
    message: str | None = None
    unexpected: bool = False

    @property
    def log_line(self) -> str:
        """The last line of the run in the log file."""
        if self.exit_code == 0:
            return "backy2 complete"
        return f"backy2 failed: {self.message or 'output closed'} (exit code {self.exit_code})"


def outcome_of(error: BaseException) -> Outcome:
    """What the exception that ended a run means."""
    if isinstance(error, BackyError):
        return Outcome(error.exit_code, str(error))
    if isinstance(error, KeyboardInterrupt):
        return Outcome(EXIT_INTERRUPTED, "interrupted")
    if isinstance(error, Terminated):
        return Outcome(int(error.code or 0), f"stopped by {error.name}")
    if isinstance(error, OutputClosed):
        return Outcome(EXIT_OUTPUT_CLOSED)
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
        return Outcome(code, None if code == 0 else "the arguments were not understood")
    text = " ".join(str(error).split())
    return Outcome(EXIT_UNEXPECTED, f"{type(error).__name__}: {text}" if text else type(error).__name__, True)
