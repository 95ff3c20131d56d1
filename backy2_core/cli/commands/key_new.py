"""Verb ``key new``."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import PluginError, RefusedError, UsageError


class KeyNew(RecordVerb):
    """Make a master key, and write it to a file that only its owner may read.

    A master key is 32 random bytes, and no passphrase. The file is made, never written over. Prints
    the section that the configuration needs. A store that has no keys yet gets them when it is
    opened next; to one that has, `backy2 key add` adds this one. Keep a copy elsewhere: whoever
    loses all keys of a store loses all that is in it.
    """

    example = """
    backy2 key new /etc/backy2/main.key
    backy2 key new --id offline -f value -c section /mnt/usb/backy2.key
    """
    exits = (PluginError, RefusedError)
    columns = ("id", "fingerprint", "file", "section")
    record_type = "key"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The file, and the id."""
        parser.add_argument(
            "--id", metavar="ID", help="name of the key (default: the name of the file, up to its last dot)"
        )
        parser.add_argument("file", metavar="FILE", help="the file to be made")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Make it."""
        from backy2_core.config.keys import check_key_id
        from backy2_core.model.secret import key_fingerprint

        path = Path(parsed_args.file).expanduser().absolute()
        key_id = path.stem if parsed_args.id is None else parsed_args.id
        try:
            check_key_id(key_id)
        except ValueError as error:
            raise UsageError(f"{error}. Name it with --id.") from error
        key = secrets.token_bytes(32)
        _write(path, f"{key.hex()}\n".encode())
        return key_id, key_fingerprint(key), str(path), f"[key:{key_id}]\nsecret = %(file:{path})s"


def _write(path: Path, text: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise RefusedError(
            f"{path} is there already, and is not written over: it may be the only copy of a key."
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
