"""The console script ``backy2``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from backy2_core.cli.collector import collect_rarely
from backy2_core.cli.outcome import EXIT_OUTPUT_CLOSED, outcome_of
from backy2_core.cli.signals import Terminated, orderly_end


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default that of the process) and return its exit code."""
    collect_rarely()
    # Imported here: what is imported makes many objects, and should not be searched for garbage meanwhile.
    from backy2_core.cli.app import BackyApp

    try:
        with orderly_end():
            _prepare_streams()
            code = BackyApp(sys.stdout, sys.stderr).run(list(sys.argv[1:] if argv is None else argv))
    except (KeyboardInterrupt, Terminated) as error:
        # Told to stop before the command began, or after it ended.
        return outcome_of(error).exit_code
    if code == EXIT_OUTPUT_CLOSED:
        _forget_output()
    return code


def _prepare_streams() -> None:
    """Make sure that the standard streams are there and can write every name.

    A process may be started with descriptors 0 to 2 closed. The next files opened would take their numbers, and what
    is meant for the terminal would end up in a blob or the database.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        mode = "r" if name == "stdin" else "w"
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # open as long as the process
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Let Python's last flush of what nobody reads go nowhere, so that it has nothing to complain of."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
