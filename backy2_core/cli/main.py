"""The console script ``backy2``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from backy2_core.cli.app import BackyApp
from backy2_core.cli.outcome import EXIT_OUTPUT_CLOSED, outcome_of
from backy2_core.cli.signals import Terminated, orderly_end


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default that of the process) and return its exit code."""
    try:
        with orderly_end():
            app = BackyApp(_stream(sys.stdout), _stream(sys.stderr))
            code = app.run(list(sys.argv[1:] if argv is None else argv))
    except (KeyboardInterrupt, Terminated) as error:
        # Told to stop before the first command began, or after the last one ended.
        return outcome_of(error).exit_code
    if code == EXIT_OUTPUT_CLOSED:
        _forget_output()
    return code


def _stream(stream: TextIO | None) -> TextIO:
    """The stream, able to write every name; a bin where the process was started without it."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _forget_output() -> None:
    """Let Python's last flush of what nobody reads go nowhere, so that it has nothing to complain of."""
    bin_descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(bin_descriptor, sys.stdout.fileno())
    os.close(bin_descriptor)


if __name__ == "__main__":
    sys.exit(main())
