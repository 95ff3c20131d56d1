"""A ``qemu-nbd`` of our own, which nobody else can reach and which never outlives us.

All connections are made before it starts: we bind and listen, connect to ourselves, remove the socket's name, and only then
hand the listening socket to the new process, as systemd would do. So there is never a socket for others to find, nothing
is waited for in a loop, and nothing is left over. qemu-nbd ends by itself when its last client is gone, and the kernel
ends it when the thread that started it ends, however that came about.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from backy2_qcow2.errors import QemuError, advised
from backy2_qcow2.images import environment, missing
from backy2_qcow2.nbd import NbdConnection

_LEAVE_S = 30.0
# $1 is who started us: if that is not our parent any more, it died before the kernel was told to end us with it.
_SCRIPT = '[ "$PPID" = "$1" ] || exit 1; shift; exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'


class NbdServer:
    """A running qemu-nbd for one image, and its connections.

    ``arguments`` are those of qemu-nbd. The first connection is for asking which ranges are zeros, where ``status``; all
    others for reading and writing. Must be made by a thread that lives as long as the server is needed.
    """

    def __init__(self, arguments: Sequence[str], *, connections: int, status: bool, timeout_s: float) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the server)
        self.connections: list[NbdConnection] = []
        self._process: subprocess.Popen[bytes] | None = None
        sockets: list[socket.socket] = []
        try:
            with _listening(connections, sockets, timeout_s) as listener:
                self._process = self._start(listener, [*arguments, f"--shared={connections}"])
            for number in range(connections):
                self.connections.append(NbdConnection(sockets[number], status=status and number == 0))
        except OSError as error:
            for connected in sockets:
                connected.close()
            reason = self.why_it_ended() if self._process is not None else str(error)
            self.close()
            raise QemuError(reason or f"qemu-nbd does not answer as expected: {error}") from error
        except BaseException:
            for connected in sockets:
                connected.close()
            self.close()
            raise

    def why_it_ended(self, wait_s: float = 5.0) -> str:
        """What the process said before it ended; empty if it lives."""
        assert self._process is not None
        try:
            status = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return ""
        self._said.seek(0)
        text = self._said.read().decode("utf-8", "replace").removeprefix("qemu-nbd: ").strip()
        return advised(text) if text else f"qemu-nbd ended with status {status}"

    def close(self) -> None:
        """Close the connections, and wait until the process wrote what it has to and ended. Twice does nothing."""
        for connection in self.connections:
            connection.close()
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.wait(_LEAVE_S if self.connections else 0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._said.close()

    def _start(self, listener: socket.socket, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        wrapper = ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", _SCRIPT, "sh", str(os.getpid())]
        for program in ("setpriv", "qemu-nbd"):
            if shutil.which(program) is None:
                raise missing(program)
        return subprocess.Popen(
            [*wrapper, "qemu-nbd", *arguments],
            stdin=listener.fileno(),
            stdout=self._said,
            stderr=self._said,
            env=environment(),
            start_new_session=True,  # an interrupt from the terminal is for us; we end the process then
        )


@contextlib.contextmanager
def _listening(connections: int, connected: list[socket.socket], timeout_s: float) -> Iterator[socket.socket]:
    """A listening socket without a name, to which so many sockets are connected already."""
    with socket.socket(socket.AF_UNIX) as listener:
        with tempfile.TemporaryDirectory(prefix="backy2-qcow2-") as folder:
            fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # The name of a socket has at most 107 characters, and folders for temporary files may have more.
                path = f"/proc/self/fd/{fd}/nbd"
                listener.bind(path)
                listener.listen(connections)
                for _ in range(connections):
                    client = socket.socket(socket.AF_UNIX)
                    connected.append(client)
                    client.settimeout(timeout_s)
                    client.connect(path)
            finally:
                os.close(fd)
        yield listener
