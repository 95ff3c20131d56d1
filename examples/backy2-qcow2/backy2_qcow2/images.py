"""Images as ``qemu-img`` knows them: what a URL names, what is in it, what it stands on; and making new ones."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backy2_qcow2.errors import MissingProgramError, QemuError, advised

SCHEME = "qcow2://"
_TIMEOUT_S = 120.0
_CHECK_TIMEOUT_S = 6 * 3600.0
_CORRUPT = 2


@dataclass(frozen=True, slots=True)
class File:
    """A file that belongs to an image: its own, or one that it stands on. ``trace`` changes when it is written to."""

    path: str
    format: str
    size_bytes: int
    trace: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there. ``snapshot_id`` is empty where the image itself is meant.

    ``identity`` changes whenever the content may have changed. ``files`` begin with the image's own.
    """

    path: str
    size_bytes: int
    snapshot_id: str
    identity: str
    files: tuple[File, ...]


def split(url: str) -> tuple[str, str]:
    """Path and snapshot of a URL. A file whose name holds an ``@`` is found too, where it is there."""
    whole = url.removeprefix(SCHEME)
    path, at, snapshot = whole.rpartition("@")
    if not at or os.path.exists(whole):
        path, snapshot = whole, ""
    # A path from the top: whatever else it held, qemu would take it for a protocol of its own.
    return os.path.abspath(path), snapshot


def examine(url: str) -> Image:
    """Look at the image that a URL names, and at all that it stands on. Raises :class:`QemuError` and OSError."""
    path, name = split(url)
    os.stat(path)  # tells of a missing file in better words
    output = _run("qemu-img", "info", "--output=json", "--backing-chain", "-f", "qcow2", path)
    chain: list[dict[str, Any]] = json.loads(output)
    files = tuple(_file(link["filename"], link["format"]) for link in chain)
    size = int(chain[0]["virtual-size"])
    if not name:
        return Image(path, size, "", ":".join([*(file.trace for file in files), str(size)]), files)
    snapshot = _find(path, name, chain[0].get("snapshots", []))
    made = f"{snapshot['id']}:{snapshot['date-sec']}.{snapshot['date-nsec']}:{name}"
    status = os.stat(path)
    # A snapshot stays what it is, whatever is written to the image around it.
    parts = [f"{status.st_dev}:{status.st_ino}", made, *(file.trace for file in files[1:])]
    return Image(path, size, snapshot["id"], ":".join(parts), files)


def check(image: Image) -> None:
    """Raise :class:`QemuError` if the tables of the image, or of one that it stands on, are damaged.

    QEMU itself opens many a damaged image, and reads as zeros what lies beyond the end of a file that was cut.
    """
    for file in image.files:
        if file.format == "qcow2":
            done = _call(["qemu-img", "check", "-q", "-f", "qcow2", file.path], _CHECK_TIMEOUT_S)
            if done.returncode == _CORRUPT:
                first = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
                raise QemuError(f"{file.path} is corrupt ({first}); look at it with: qemu-img check")


def check_not_cut(image: Image) -> None:
    """Raise :class:`QemuError` if a file became shorter: what is missing then reads as zeros."""
    for file in image.files:
        size = os.stat(file.path).st_size
        if size < file.size_bytes:
            raise QemuError(f"{file.path} was cut from {file.size_bytes} to {size} bytes while it was read")


def create(path: str, size_bytes: int, options: Sequence[str]) -> None:
    """Make an image, for its owner only. Raises FileExistsError if there is a file, OSError and :class:`QemuError`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        chosen = ("-o", ",".join(options)) if options else ()
        _run("qemu-img", "create", "-q", "-f", "qcow2", *chosen, path, str(size_bytes))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _find(path: str, name: str, snapshots: list[dict[str, Any]]) -> dict[str, Any]:
    for key in ("name", "id"):
        for snapshot in snapshots:
            if snapshot[key] == name:
                return snapshot
    known = ", ".join(sorted(snapshot["name"] for snapshot in snapshots)[:10]) or "none"
    raise QemuError(f"{path} has no snapshot {name}; there are: {known}")


def _file(path: str, kind: str) -> File:
    status = os.stat(path)
    trace = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
    return File(path, kind, status.st_size, trace)


def _run(*command: str) -> str:
    done = _call(command, _TIMEOUT_S)
    if done.returncode != 0:
        raise QemuError(advised(done.stderr.decode("utf-8", "replace").removeprefix(f"{command[0]}: ")))
    return done.stdout.decode("utf-8", "surrogateescape")


def _call(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise missing(command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise QemuError(
            f"{command[0]} did not end within {timeout_s:g} s; is the filesystem of the image in order?"
        ) from error


def environment() -> dict[str, str]:
    """The environment for programs whose messages are looked at: they must not be translated."""
    return {**os.environ, "LC_ALL": "C"}


def missing(program: str) -> MissingProgramError:
    """The error to raise where a program is not installed."""
    package = "util-linux" if program == "setpriv" else "qemu-utils"
    return MissingProgramError(f"{program} is missing; install it with: apt-get install {package}")
