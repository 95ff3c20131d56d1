"""A daemon of the throwaway Ceph cluster: started in the foreground, killed without warning, never left behind."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PATIENCE_S = 60.0
PAUSE_S = 0.01
# Below those that a system gives to outgoing connections, so that none of these takes a port that was just found free.
# Daemons that look for ports by themselves have others, so that none is lost while its owner is killed and started again.
FOUND_PORTS = range(10_000, 20_000)
OTHER_PORTS = range(20_000, 32_000)


class Daemon:
    """A program that serves until it is killed, or until the process that started it ends in any way.

    Any thread may start it again: a daemon is bound to the life of the thread that started it, so all are started by
    the one thread of ``starter``, which lives as long as the cluster.
    """

    def __init__(self, starter: ThreadPoolExecutor, command: Sequence[str | Path], log: Path) -> None:
        self._starter = starter
        self._command = ["setpriv", "--pdeathsig=KILL", *map(str, command)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may need a while until it answers."""
        assert self._process is None, f"{self._command} runs already"
        self._process = self._starter.submit(self._popen).result()

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait for its end; nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        assert self._process is not None, f"{self._command} does not run"
        return self._process.pid

    def check(self, deadline: float) -> None:
        """Pause a moment; fail with what it said, if it has ended or the time of :func:`time.monotonic` is over."""
        ended = self._process is None or self._process.poll() is not None
        assert not ended, self.said()
        assert time.monotonic() < deadline, self.said()
        time.sleep(PAUSE_S)

    def said(self) -> str:
        """The end of what it printed and logged."""
        texts = [path.read_text(errors="replace")[-3000:] for path in self._log.parent.glob(f"{self._log.stem}*")]
        return "\n".join([" ".join(self._command), *texts])

    def _popen(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            # In a session of its own, so that what a terminal sends to those that run in it does not reach this.
            own: dict[str, Any] = {"cwd": self._log.parent, "stdin": subprocess.DEVNULL, "start_new_session": True}
            return subprocess.Popen(self._command, stdout=log, stderr=log, **own)


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    while True:
        port = random.choice(FOUND_PORTS)
        with suppress(OSError), closing(socket.socket()) as knock:
            knock.bind((HOST, port))
            return port


def wait_for_port(port: int, daemon: Daemon) -> None:
    """Return when ``daemon`` listens on ``port``; fail with what it said, if it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with suppress(OSError), closing(socket.create_connection((HOST, port), timeout=1)):
            return
        daemon.check(deadline)
