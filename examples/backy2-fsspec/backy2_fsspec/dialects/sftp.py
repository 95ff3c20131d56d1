"""SFTP: many requests on their way at once, host keys checked, names given by the server in one step."""

from __future__ import annotations

import errno
import os
import posixpath
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.ssh_exception import NoValidConnectionsError

from backy2_fsspec.dialects.staged import StagedDialect, fill, is_folder, kind_of
from backy2_fsspec.options import Options

_KEEP_ALIVE_S = 15
_ANSWER_BYTES = 32 * 1024
"""What the server sends at once: larger pieces would be put together from these, and copied once more."""


class SftpDialect(StagedDialect):
    """Speaks to the server through fsspec's connection, and where that has no word for it through the SFTP client below.

    A server's rename refuses a name that is taken (OpenSSH makes a hard link for it); its ``posix-rename`` replaces.
    """

    def __init__(self, *, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def connected(self, fs: Any) -> None:
        """No answer may be waited for without end."""
        fs.client.get_transport().set_keepalive(_KEEP_ALIVE_S)
        fs.ftp.get_channel().settimeout(self._timeout_s)

    def disconnect(self, fs: Any) -> None:
        """Close the connection."""
        fs.client.close()

    def make_folder(self, fs: Any, path: str) -> None:
        """Make a folder for the owner only."""
        try:
            fs.ftp.mkdir(path, 0o700)
        except OSError:
            if not is_folder(fs, path):
                raise

    def write_new(self, fs: Any, path: str, data: memoryview) -> None:
        """Write without waiting for each answer; the last byte's write waits for all of them, and raises what they say."""
        with fs.open(path, "wb") as file:
            file.set_pipelined(True)
            file.write(data[:-1])
            file.set_pipelined(False)
            file.write(data[-1:])
        self.check_length(fs, path, len(data))

    def read_into(self, fs: Any, path: str, buffer: memoryview) -> int:
        """Ask for all pieces at once."""
        with fs.open(path, "rb") as file:
            if len(buffer):
                file.prefetch(len(buffer))
            return fill(file, buffer, _ANSWER_BYTES)

    def move_new(self, fs: Any, temporary: str, path: str) -> None:
        """Rename where the name is free. The server gives no reason when it refuses, so that is looked for."""
        try:
            fs.ftp.rename(temporary, path)
        except OSError as error:
            if error.errno is None and not self.is_passing(error) and kind_of(fs, path) is not None:
                raise FileExistsError(errno.EEXIST, "it is there already", path) from error
            raise

    def remove(self, fs: Any, path: str) -> None:
        """Remove a file."""
        fs.ftp.remove(path)

    def is_passing(self, error: Exception) -> bool:
        """A lost connection passes; a key or a host that is refused does not."""
        if isinstance(error, paramiko.AuthenticationException | paramiko.BadHostKeyException | UnknownHostError):
            return False
        # What cannot be connected to, and a lost connection, come as OSErrors without a number.
        lost = isinstance(error, NoValidConnectionsError) or error.args == ("Socket is closed",)
        return lost or isinstance(error, paramiko.SSHException) or super().is_passing(error)


class UnknownHostError(paramiko.SSHException):  # type: ignore[misc]
    """The server's key does not stand in the list of known hosts."""


class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """Takes only servers whose key stands in a file of known hosts, as ``ssh`` writes it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Look the key up."""
        try:
            known = paramiko.HostKeys(self._path)
        except FileNotFoundError:
            known = paramiko.HostKeys()
        if not known.check(hostname, key):
            raise UnknownHostError(
                f"the server's {key.get_name()} key {key.fingerprint} of {hostname} does not stand in {self._path}; "
                "compare it with the server's, and add it with ssh-keyscan"
            )


def arranged(options: Options) -> Options:
    """The options with a check of the server's key, unless ``host_key_policy`` is among them.

    ``known_hosts`` names the file; that of the user is the default.
    """
    options = dict(options)
    path = os.path.expanduser(str(options.pop("known_hosts", posixpath.join("~", ".ssh", "known_hosts"))))
    options.setdefault("host_key_policy", KnownHosts(path))
    return options


def open_sftp(url: str, options: Options) -> tuple[Any, str]:
    """A connection, and the path that ``url`` names.

    Other packages claim ``sftp://`` in fsspec for themselves where they are installed; this dialect is for fsspec's own.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("it names no host")
    given = {"port": parts.port, "username": unquote(parts.username or "") or None}
    arguments = {**{key: value for key, value in given.items() if value is not None}, **options}
    return SFTPFileSystem(parts.hostname, skip_instance_cache=True, **arguments), parts.path
