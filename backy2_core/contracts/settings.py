"""How a plugin says which settings it takes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class SettingType(enum.StrEnum):
    """How the text of a setting is understood. Python type of the value in brackets."""

    TEXT = "text"
    """Any text (str)."""
    PATH = "path"
    """A path; ``~`` is expanded (str)."""
    INTEGER = "integer"
    """A whole number, with k, M, G or T for powers of 1024 if wished (int)."""
    NUMBER = "number"
    """A decimal number (float)."""
    BOOLEAN = "boolean"
    """yes/no, true/false, on/off, 1/0 (bool)."""
    DURATION = "duration"
    """A number with s, m, h or d, seconds where it has none (float, seconds)."""
    LIST = "list"
    """Texts separated by commas or white space (tuple of str)."""
    SECRET = "secret"
    """A text that is never shown (:class:`backy2_core.model.secret.Secret`)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a plugin's section. ``default`` is a value of the type's Python type, or None for "not set".

    ``choices`` limits the text, where given; ``minimum`` an integer, number or duration. ``aliases`` are other keys
    with the same meaning, such as those of the original backy2.
    """

    name: str
    type: SettingType
    default: Any
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    aliases: tuple[str, ...] = ()


Settings = Mapping[str, Any]
"""The parsed values by name: every declared setting is there, with its default where the file says nothing."""
