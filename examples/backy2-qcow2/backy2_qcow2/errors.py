"""What goes wrong below the source and the target; they turn it into errors of backy2, which name the URL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from backy2_core.api import PluginError, SourceError, TargetError

_ADVICE = (
    (r"Failed to get .*lock", "a virtual machine has the image open: shut it down, or back up a copy of the image"),
    ("not in qcow2 format", "give the path of a qcow2 image"),
    ("Permission denied", "check the permissions and the user that backy2 runs as, of the image's backing files too"),
    ("No such file", "check the path, of the image's backing files too"),
    ("No space left", "make room there, or restore with --sparse"),
    (r"\bcorrupt", "check the image with: qemu-img check"),
    ("Input/output error", "check the image with: qemu-img check, and look into the kernel's log"),
)


class QemuError(Exception):
    """A program of QEMU failed, or does not answer."""


class MissingProgramError(Exception):
    """A program of QEMU is not installed."""


def advised(message: str) -> str:
    """The message of a program or of the system, and what to do."""
    message = message.strip() or "it gave no reason"
    for pattern, advice in _ADVICE:
        if re.search(pattern, message):
            return f"{message}; {advice}"
    return message


@contextlib.contextmanager
def translated(kind: type[SourceError | TargetError], done: str) -> Iterator[None]:
    """Turn what goes wrong within into ``kind``; ``done`` says what to which image."""
    try:
        yield
    except MissingProgramError as error:
        raise PluginError(f"cannot {done}: {error}") from error
    except QemuError as error:
        raise kind(f"cannot {done}: {error}") from error
    except OSError as error:
        raise kind(f"cannot {done}: {advised(error.strerror or str(error))}") from error
