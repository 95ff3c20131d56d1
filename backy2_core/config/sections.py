"""The sections of a file, by our names, with their values still raw."""

from __future__ import annotations

import configparser
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from backy2_core.config import legacy
from backy2_core.errors import ConfigError

FIXED = ("backy2", "data_backend", "meta_backend")
NAMED = ("source", "transform", "listener", "formatter", "schedule", "key")
"""Kinds of sections that carry a name: ``[source:file]``."""
VARIABLES = "DEFAULT"
SCHEDULE_KEYS = frozenset({"interval", "keep", "sla"})


@dataclass(frozen=True, slots=True)
class Section:
    """``name`` is ours, ``written`` what the file calls it; ``values`` are raw, by key in lower case.

    ``elsewhere`` are keys of this section that the file has in another one, and that one.
    """

    name: str
    written: str
    values: Mapping[str, str]
    elsewhere: Mapping[str, Section] = field(default_factory=dict)


def read_sections(path: Path) -> dict[str, Section]:
    """Every section of a file by our name, ``DEFAULT`` too; raises :class:`ConfigError` for one that is not known."""
    return translate(str(path), _parse(path))


def translate(origin: str, raw: Mapping[str, Mapping[str, str]]) -> dict[str, Section]:
    """Give the sections our names; leaves out those of the original that have no meaning here."""
    sections: dict[str, Section] = {}
    for written, values in raw.items():
        if written in legacy.IGNORED_SECTIONS:
            continue
        name = _our_name(origin, written, values)
        if name in sections:
            raise ConfigError(f"{origin}: sections [{sections[name].written}] and [{written}] mean the same; keep one")
        sections[name] = Section(name, written, values)
    _check_variables(origin, raw)
    _move_keys(origin, sections)
    _add_default_values(origin, sections)
    return sections


def _parse(path: Path) -> dict[str, dict[str, str]]:
    # No section of a file can be called "\n": so [DEFAULT] is a section like any other, and nothing is inherited.
    parser = configparser.RawConfigParser(default_section="\n")
    try:
        with path.open(encoding="utf-8-sig") as file:
            parser.read_file(file, source=str(path))
    except OSError as error:
        raise ConfigError(f"{path}: the configuration file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the configuration file is not text in UTF-8") from error
    except configparser.Error as error:
        raise ConfigError(f"{path}: {_syntax_reason(error)}") from None  # its text quotes lines, which may hold secrets
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _syntax_reason(error: configparser.Error) -> str:
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: section [{error.section}] is there twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: section [{error.section}], key {error.option} is there twice"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} stands before the first section, such as [backy2]"
    lines = [number for number, _ in getattr(error, "errors", ())]
    where = f"line {lines[0]}" if lines else "a line"
    return f"{where} is neither a section, a comment, nor a key with a value"


def _our_name(origin: str, written: str, values: Mapping[str, str]) -> str:
    kind, colon, name = written.partition(":")
    if written in legacy.SECTIONS:
        return legacy.SECTIONS[written]
    if written in FIXED or written == VARIABLES or (colon and kind in NAMED and name.strip()):
        return written
    if not colon and values.keys() >= SCHEDULE_KEYS:
        return f"schedule:{written}"
    raise ConfigError(f"{origin}, section [{written}] is not known. {_section_hint(written, values)}")


def _section_hint(written: str, values: Mapping[str, str]) -> str:
    kind, colon, name = written.partition(":")
    known = NAMED if colon else (*FIXED, *legacy.SECTIONS, *NAMED)
    close = difflib.get_close_matches(kind, known, n=1)
    if close:
        name = name.strip() or ("NAME" if close[0] in NAMED else "")
        return f"Did you mean [{close[0]}{':' if name else ''}{name}]?"
    if SCHEDULE_KEYS & values.keys():
        return "A schedule needs the keys interval, keep and sla."
    return f"Known are {', '.join(FIXED)}, and with a name behind a colon {', '.join(NAMED)}."


def _move_keys(origin: str, sections: dict[str, Section]) -> None:
    for (written, key), name in legacy.MOVED_KEYS.items():
        holder = sections.get(legacy.SECTIONS[written])
        if holder is None or holder.written != written or key not in holder.values:
            continue
        section = sections.get(name) or Section(name, written, {})
        if key in section.values:
            raise ConfigError(
                f"{origin}: key {key} of sections [{written}] and [{section.written}] is the same; keep one"
            )
        sections[name] = replace(section, elsewhere={**section.elsewhere, key: holder})


def _add_default_values(origin: str, sections: dict[str, Section]) -> None:
    """An original file is one that has a section of the original, and not ours in the place of its ``[DEFAULTS]``."""
    core = sections.get("backy2") or Section("backy2", "DEFAULTS", {})
    if core.written == "DEFAULTS" and any(section.written in legacy.SECTIONS for section in sections.values()):
        try:
            defaults = legacy.default_values(core.values)
        except ValueError as error:
            raise ConfigError(f"{origin}, section [{core.written}], {error}") from error
        sections["backy2"] = replace(core, values={**defaults, **core.values})


def _check_variables(origin: str, raw: Mapping[str, Mapping[str, str]]) -> None:
    text = "\n".join(value.lower() for values in raw.values() for value in values.values())
    for key in raw.get(VARIABLES, {}):
        if f"%({key})s" not in text:
            raise ConfigError(
                f"{origin}, section [{VARIABLES}], key {key}: this section only holds what other values name as "
                f"%({key})s; move the key to the section that it is meant for"
            )
