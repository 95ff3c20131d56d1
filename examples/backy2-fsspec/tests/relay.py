"""A network between a client and a server on this machine, in a process of its own so that it can be cut at once."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time


class Relay:
    """Passes on what comes to :attr:`port`. Cut and mended, it is at the same port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.mend()

    def cut(self) -> None:
        """End all connections, and take no new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def mend(self) -> None:
        """Take connections, unless it does."""
        if self._process is not None:
            return
        command = [sys.executable, __file__, str(self.port), str(self._target)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        with self._process.stdout as told:
            self.port = int(told.readline())


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _serve(port: int, target: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            listener = socket.create_server(("127.0.0.1", port), backlog=128)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", target))
        for pair in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=pair, daemon=True).start()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
