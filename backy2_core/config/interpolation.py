"""Replacing ``%(...)s`` in values: other keys, the environment, a file's text, a command's output."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

MAX_DEPTH = 10

# What stands in env:, file: and command: goes up to the first ")s" and is taken as it is, percent signs included.
_TOKEN = re.compile(r"%(?:(?P<percent>%)|\((?P<kind>env|file|command):(?P<what>.*?)\)s|\((?P<key>[^)]*)\)s)", re.DOTALL)


def expand(text: str, keys: Mapping[str, str], *, private: bool = False) -> str:
    """``text`` with every ``%(...)s`` replaced and ``%%`` made ``%``; ``keys`` are the raw values it may name.

    Files are read and commands run at each call; what they give is stripped of white space at both ends, and not
    looked into again. ``private`` refuses files that other users may read. Raises :class:`ValueError` with a reason that
    never holds what was read.
    """
    return _expand(text, keys, 0, private)


def reaches_outside(text: str) -> bool:
    """True if a part of this raw value comes from the environment, a file or a command."""
    return any(token["kind"] for token in _TOKEN.finditer(text))


def _expand(text: str, keys: Mapping[str, str], depth: int, private: bool) -> str:
    if depth > MAX_DEPTH:
        raise ValueError(f"%(...)s is nested more than {MAX_DEPTH} deep; do two keys name each other?")
    out: list[str] = []
    position = 0
    while (percent := text.find("%", position)) >= 0:
        token = _TOKEN.match(text, percent)
        if token is None:
            raise ValueError("a '%' must begin %(...)s; a percent sign itself is written %%")
        out += [text[position:percent], _replace(token, keys, depth, private)]
        position = token.end()
    out.append(text[position:])
    return "".join(out)


def _replace(token: re.Match[str], keys: Mapping[str, str], depth: int, private: bool) -> str:
    if token["percent"]:
        return "%"
    if token["kind"] == "file":
        return _file(token["what"], private).strip()
    if token["kind"]:
        return _READERS[token["kind"]](token["what"]).strip()
    key = token["key"].lower()
    if key not in keys:
        raise ValueError(f"%({key})s: there is no such key in this section or in [DEFAULT]")
    return _expand(keys[key], keys, depth + 1, private)


def _environment(name: str) -> str:
    if name not in os.environ:
        raise ValueError(f"the environment variable {name} is not set")
    return os.environ[name]


def _file(name: str, private: bool) -> str:
    path = Path(name).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            if private and readable_by_others(os.fstat(file.fileno())):
                raise ValueError(f"{name} holds a key, and other users may read it; chmod 600 {shlex.quote(str(path))}")
            return file.read()
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in UTF-8") from None  # it holds what was read


def _command(command: str) -> str:
    done = subprocess.run(
        command,
        check=False,
        shell=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        complaint = " ".join(done.stderr.split())[:200]
        raise ValueError(f"the command failed with exit code {done.returncode}: {complaint or 'it said nothing'}")
    return done.stdout


def readable_by_others(status: os.stat_result) -> bool:
    """True for a file that somebody beside its owner may read or change. A pipe is nobody's but the reader's."""
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o077)


_READERS: dict[str, Callable[[str], str]] = {"env": _environment, "command": _command}
