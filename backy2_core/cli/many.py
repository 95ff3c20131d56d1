"""Several commands at once, each a process of its own: what one does to its memory or to a library harms no other.

They end with this process, whatever ends it: a signal that ends it in order is handed on and waited for, and where it is
killed they notice (see :mod:`backy2_core.cli.lifeline`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TextIO

from backy2_core.cli.lifeline import with_lifeline
from backy2_core.errors import BackyError

_ERROR = "ERROR: "


@dataclass(frozen=True, slots=True)
class Order:
    """A command to be run: the arguments behind ``backy2``. ``name`` stands before each line that it logs."""

    name: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended: ``code`` is negative for a signal, ``error`` the last error that it told."""

    order: Order
    code: int
    output: str
    error: str
    duration_s: float


class SomeFailedError(BackyError):
    """Some of many commands failed. The exit code is theirs if it is the same for all that failed, else 100."""

    def __init__(self, message: str, codes: Sequence[int]) -> None:
        super().__init__(message)
        if len(set(codes)) == 1 and codes[0] > 0:
            self.exit_code = codes[0]  # type: ignore[misc] # the only error whose code is that of others


def run_all(orders: Sequence[Order], parallel: int, log: TextIO) -> Generator[Ending, None, None]:
    """Run commands, at most ``parallel`` at once, begun in this order; yields each as it ends.

    Their log lines go to ``log`` with their name before them. Called from the main thread. Whatever is raised here hands a
    signal on to those that run and waits for them, and so does closing it before its end.
    """
    children = _Children(log)
    with ThreadPoolExecutor(parallel, thread_name_prefix="command") as pool:
        endings: list[Future[Ending]] = [pool.submit(children.run, order) for order in orders]
        try:
            for ending in as_completed(endings):
                yield ending.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop(signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
            raise


class _Children:
    """The processes that run. Threads: any."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, order: Order) -> Ending:
        """Start a command and wait for its end."""
        began = time.monotonic()
        process = self._start(order)
        if process is None:
            return Ending(order, -signal.SIGTERM, "", "not begun", 0.0)
        error, name = "", "".join(char if char.isprintable() else "?" for char in order.name)

        def relay() -> None:
            nonlocal error
            assert process.stderr is not None
            for line in process.stderr:
                error = line.removeprefix(_ERROR).strip() if line.startswith(_ERROR) else error
                self._write(f"[{name}] {line}")

        relaying = threading.Thread(target=relay, name="log", daemon=True)
        relaying.start()
        assert process.stdout is not None
        output = process.stdout.read()
        code = process.wait()
        relaying.join()
        self._forget(process)
        return Ending(order, code, output, error, time.monotonic() - began)

    def stop(self, number: signal.Signals) -> None:
        """Start no more, and send a signal to those that run."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)

    def _start(self, order: Order) -> subprocess.Popen[str] | None:
        # A group of its own: Ctrl-C on the terminal then comes to this process alone, which hands it on once.
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "backy2_core.cli.main", *order.words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=with_lifeline(os.environ),
                encoding="utf-8",
                errors="backslashreplace",
                process_group=0,
            )
            self._running.add(process)
            return process

    def _forget(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.discard(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def _write(self, line: str) -> None:
        # Where nobody reads standard error any more, there is nobody to tell.
        with self._lock, contextlib.suppress(OSError):
            self._log.write(line if line.endswith("\n") else f"{line}\n")
            self._log.flush()
