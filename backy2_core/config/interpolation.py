"""Replacing ``%(...)s`` in values: other keys, the environment, a file's text, a command's output."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

MAX_DEPTH = 10

# What stands in env:, file: and command: goes up to the first ")s" and is taken as it is, percent signs included.
_TOKEN = re.compile(r"%(?:(?P<percent>%)|\((?P<kind>env|file|command):(?P<what>.*?)\)s|\((?P<key>[^)]*)\)s)", re.DOTALL)


def expand(text: str, keys: Mapping[str, str]) -> str:
    """``text`` with every ``%(...)s`` replaced and ``%%`` made ``%``; ``keys`` are the raw values it may name.

    Files are read and commands run at each call; what they give is stripped of white space at both ends, and not
    looked into again. Raises :class:`ValueError` with a reason that never holds what was read.
    """
    return _expand(text, keys, 0)


def _expand(text: str, keys: Mapping[str, str], depth: int) -> str:
    if depth > MAX_DEPTH:
        raise ValueError(f"%(...)s is nested more than {MAX_DEPTH} deep; do two keys name each other?")
    out: list[str] = []
    position = 0
    while (percent := text.find("%", position)) >= 0:
        token = _TOKEN.match(text, percent)
        if token is None:
            raise ValueError("a '%' must begin %(...)s; a percent sign itself is written %%")
        out += [text[position:percent], _replace(token, keys, depth)]
        position = token.end()
    out.append(text[position:])
    return "".join(out)


def _replace(token: re.Match[str], keys: Mapping[str, str], depth: int) -> str:
    if token["percent"]:
        return "%"
    if token["kind"]:
        return _READERS[token["kind"]](token["what"]).strip()
    key = token["key"].lower()
    if key not in keys:
        raise ValueError(f"%({key})s: there is no such key in this section or in [DEFAULT]")
    return _expand(keys[key], keys, depth + 1)


def _environment(name: str) -> str:
    if name not in os.environ:
        raise ValueError(f"the environment variable {name} is not set")
    return os.environ[name]


def _file(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not text in UTF-8") from error


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


_READERS: dict[str, Callable[[str], str]] = {"env": _environment, "file": _file, "command": _command}
