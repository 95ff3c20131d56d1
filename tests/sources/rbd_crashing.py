"""The process that asks librbd, crashing as librbd does now and then: for tests of what happens then. Run as a module.

It ends by SIGABRT behind its first window, and half way through the line of the second, unless it is to begin behind all of
the image but the last window.
"""

from __future__ import annotations

import io
import os
import signal
import sys

from backy2_plugins.sources.rbd import differ


def main() -> None:
    told = io.StringIO()
    differ.main(sys.stdin, told)
    lines = told.getvalue().splitlines(keepends=True)
    if len(lines) <= 2:
        sys.stdout.write(told.getvalue())
        return
    sys.stdout.write(lines[0] + lines[1][: len(lines[1]) // 2])
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGABRT)


if __name__ == "__main__":
    main()
