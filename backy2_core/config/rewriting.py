"""One key of the text of a configuration file: changed, added or taken out, with every other line left as it is."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace

_HEADER = re.compile(r"\[(.+)\]")
_KEY = re.compile(r"(\s*)([^\s=:][^=:]*?)\s*[=:]")


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of a section: ``first`` is its line, ``stop`` the line behind its value."""

    name: str
    indent: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A section: the line of its header, and its keys."""

    header: int
    keys: list[_Key]


def with_key(text: str, section: str, key: str, value: str) -> str:
    """The text with ``key`` of ``section`` set to ``value``, or without the key where the value is empty.

    A new key goes behind the last one of its section, a new section to the end.
    """
    lines = io.StringIO(text, newline="").readlines()
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    found = _find(lines, section)
    mine = next((each for each in found.keys if each.name == key), None) if found else None
    if found is None:
        return text if not value else _with_section(text, f"[{section}]{ending}{key} = {value}{ending}", ending)
    if mine is not None:
        new = [f"{mine.indent}{key} = {value}{ending}"] if value else []
        return "".join([*lines[: mine.first], *new, *_comments(lines[mine.first + 1 : mine.stop]), *lines[mine.stop :]])
    if not value:
        return text
    last = found.keys[-1] if found.keys else None
    place = last.stop if last else found.header + 1
    head = "".join(lines[:place])
    head += "" if head.endswith("\n") else ending
    return head + f"{last.indent if last else ''}{key} = {value}{ending}" + "".join(lines[place:])


def _find(lines: list[str], section: str) -> _Found | None:
    """The section, as :mod:`configparser` sees it; None if it is not there."""
    found: _Found | None = None
    current = False
    key_indent: int | None = None
    for number, line in enumerate(lines):
        text = line.strip().lstrip("\ufeff")
        if not text or text[0] in "#;":
            continue
        indent = len(line) - len(line.lstrip())
        if key_indent is not None and indent > key_indent:  # the value goes on
            if found is not None and current:
                found.keys[-1] = replace(found.keys[-1], stop=number + 1)
        elif header := _HEADER.match(text):
            current, key_indent = header[1] == section, None
            found = _Found(number, []) if current else found
        elif key := _KEY.match(line):
            key_indent = indent
            if found is not None and current:
                found.keys.append(_Key(key[2].lower(), key[1], number, number + 1))
    return found


def _comments(lines: list[str]) -> list[str]:
    """Those of the lines of a value that are none of it."""
    return [line for line in lines if line.strip().startswith(("#", ";"))]


def _with_section(text: str, section: str, ending: str) -> str:
    if not text:
        return section
    return f"{text}{'' if text.endswith(ending) else ending}{ending}{section}"
