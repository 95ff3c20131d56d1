"""A real SSH server for tests: Debian's sshd as a process of its own, on a free port, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""
_PRIVILEGE_FOLDER = Path("/run/sshd")


@dataclass
class SshServer:
    """A running server and how to log in to it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def options_at(self, port: int) -> dict[str, object]:
        """What the data backend needs to log in through another port."""
        known = self.folder / f"known_hosts_{port}"
        known.write_text((self.folder / "known_hosts").read_text().replace(f":{self.port} ", f":{port} "))
        return {**self.options, "known_hosts": str(known)}

    @property
    def user(self) -> str:
        """Who logs in: whoever runs the tests."""
        return getpass.getuser()

    @property
    def options(self) -> dict[str, object]:
        """What the data backend needs to log in."""
        return {
            "key_filename": str(self.folder / "user_key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "look_for_keys": False,
            "allow_agent": False,
        }

    def url(self, path: str, port: int = 0) -> str:
        """URL of an absolute path on this machine; ``port`` is another one than the server's."""
        return f"sftp://{self.user}@127.0.0.1:{port or self.port}{path}"


def missing() -> str:
    """What is missing to run a server; empty if nothing is."""
    found = all(_program(name) for name in ("sshd", "ssh-keygen"))
    return "" if found else "sshd is missing; install it with: apt-get install openssh-server"


@contextlib.contextmanager
def running_server() -> Iterator[SshServer]:
    """A server for as long as the context lasts; nothing of it is left then."""
    folder = Path(tempfile.mkdtemp(prefix="b2-sshd-", dir="/tmp"))
    _make_privilege_folder()
    try:
        _make_keys(folder)
        server = _start(folder)
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(10)
    finally:
        shutil.rmtree(folder)


def _make_privilege_folder() -> None:
    """The server wants this empty folder when it is root's; Debian's service makes it when it starts.

    It stays: servers of other tests may need it for every connection, and it is gone with the next start of the machine.
    """
    if os.getuid() == 0:
        _PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)


def _make_keys(folder: Path) -> None:
    for name in ("host_key", "user_key"):
        subprocess.run(
            [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True
        )
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")


def _start(folder: Path) -> SshServer:
    """Start on a port that was free just now; again if another program took it meanwhile."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "sshd_config").write_text(_CONFIG.format(folder=folder, port=port))
        kind, key = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
        with (folder / "log").open("wb") as log:
            command = [_program("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        if _answers(port, process):
            return SshServer(folder, port, process)
    raise RuntimeError((folder / "log").read_text())


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            return connection.recv(4) == b"SSH-"
        time.sleep(0.02)
    process.kill()
    process.wait()
    return False


def _program(name: str) -> str:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or ""
