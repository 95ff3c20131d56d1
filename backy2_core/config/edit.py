"""Changing one list in the configuration file, which stays its owner's own text: comments, order and mode are kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from backy2_core.config.places import find_config, own_config
from backy2_core.config.rewriting import with_key
from backy2_core.config.sections import read_sections
from backy2_core.errors import ConfigError

_CORE = "backy2"


def write_lists(path: str | None, values: Mapping[str, Sequence[str]]) -> tuple[Path, bool]:
    """Set keys of section ``[backy2]`` to lists, in the file that :func:`find_config` finds; a key with none goes.

    Returns the file, and True if it was made by this call, at the user's own place. The file is replaced as a whole or not at
    all. Raises :class:`ConfigError`, and has changed nothing, for a file that cannot be written or in which more than these
    keys would change.
    """
    found = find_config(path)
    target = (found or own_config()).resolve()
    before, section = ("", _CORE) if found is None else (_read(target), _core_section(target, values))
    after = before
    for key, items in values.items():
        after = with_key(after, section, key, ", ".join(items))
    if after != before:
        _replace(target, before, after, values)
    return target, found is None and after != before


def _core_section(path: Path, values: Mapping[str, Sequence[str]]) -> str:
    """What the file calls section ``[backy2]``: a file of the original has ``[DEFAULTS]`` in its place."""
    section = read_sections(path).get(_CORE)
    if section is None:
        return _CORE
    for key in values:
        if "%" in section.values.get(key, ""):
            raise ConfigError(
                f"{path}, section [{section.written}], key {key}: its value comes from elsewhere (%); change it there"
            )
    return section.written


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: the configuration file cannot be read: {error.strerror}") from error


def _replace(path: Path, before: str, after: str, values: Mapping[str, Sequence[str]]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only its owner may read a temporary file: the configuration may hold secrets.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(after.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                _check(path, Path(name), values)
                _keep_owner_and_mode(path, name)
                if _read(path) != before:
                    raise ConfigError(f"{path}: somebody else has just changed it; try again")
            os.replace(name, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: the configuration file cannot be written: {error.strerror}") from error


def _check(old: Path, new: Path, values: Mapping[str, Sequence[str]]) -> None:
    """Refuse a change that would do more than was meant, or less, whatever odd shape the file has."""
    wanted = {key: ", ".join(items) for key, items in values.items()}
    before, after = _values(old), _values(new)
    lists = {key: after[_CORE].pop(key, "") for key in wanted}
    for key in wanted:
        before[_CORE].pop(key, None)
    if before != after or lists != wanted:
        by_hand = "; ".join(f"{key} = {text}" for key, text in wanted.items())
        raise ConfigError(f"{old}: it cannot be changed without changing more; write into section [{_CORE}]: {by_hand}")


def _values(path: Path) -> dict[str, dict[str, str]]:
    return {_CORE: {}} | {name: dict(section.values) for name, section in read_sections(path).items()}


def _keep_owner_and_mode(path: Path, name: str) -> None:
    status = path.stat()
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(name, status.st_uid, status.st_gid)
    shutil.copystat(path, name)  # access lists, too
    os.utime(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
