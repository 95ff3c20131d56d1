"""Turning the text of a setting into a value of its type, and back."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from typing import Any

from backy2_core.contracts.settings import Setting, SettingType
from backy2_core.model.secret import Secret

_SIZE = re.compile(r"([+-]?[0-9]+)\s*([kmgt]?)", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)")
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BOOLEANS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def parse_value(setting: Setting, text: str) -> Any:
    """The value that ``text`` means for this setting.

    Raises :class:`ValueError` with what was expected; the text of a secret is never in the message.
    """
    text = text.strip()
    if setting.required and not text:
        raise ValueError("nothing is written there, and it has no default")
    value = _PARSERS[setting.type](text)
    if setting.choices:
        _check_choices(setting, value if isinstance(value, tuple) else (text,))
    if setting.minimum is not None and value < setting.minimum:
        raise ValueError(f"{text} is too small; the least is {render_value(setting.type, setting.minimum)}")
    return value


def render_value(kind: SettingType, value: Any) -> str:
    """A text that :func:`parse_value` understands as ``value``; empty for None and for a secret."""
    if value is None or kind is SettingType.SECRET:
        return ""
    if kind is SettingType.BOOLEAN:
        return "yes" if value else "no"
    if kind is SettingType.LIST:
        return ", ".join(value)
    if kind is SettingType.INTEGER:
        return _with_unit(int(value), {"T": 1024**4, "G": 1024**3, "M": 1024**2, "k": 1024})
    if kind is SettingType.DURATION:
        return _with_unit(value, {"d": 86400, "h": 3600, "m": 60}) + ("s" if value % 60 else "")
    return f"{value:g}" if kind is SettingType.NUMBER else str(value)


def _check_choices(setting: Setting, texts: tuple[str, ...]) -> None:
    wrong = [text for text in texts if text not in setting.choices]
    if wrong:
        raise ValueError(f"{_quote(setting, wrong[0])} is none of {', '.join(setting.choices)}")


def _quote(setting: Setting, text: str) -> str:
    return "this" if setting.type is SettingType.SECRET else repr(text)


def _with_unit(value: float, units: dict[str, int]) -> str:
    for unit, factor in units.items():
        if value and value % factor == 0:
            return f"{value // factor:.0f}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _integer(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a whole number (k, M, G or T may follow, such as 4M)")
    return int(match[1]) * _FACTORS[match[2].lower()]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a number")
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text!r} is neither yes nor no")
    return _BOOLEANS[text.lower()]


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time: a number with s, m, h or d, such as 90s or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def _list(text: str) -> tuple[str, ...]:
    return tuple(item for item in re.split(r"[,\s]+", text) if item)


_PARSERS: dict[SettingType, Callable[[str], Any]] = {
    SettingType.TEXT: str,
    SettingType.PATH: os.path.expanduser,
    SettingType.INTEGER: _integer,
    SettingType.NUMBER: _number,
    SettingType.BOOLEAN: _boolean,
    SettingType.DURATION: _duration,
    SettingType.LIST: _list,
    SettingType.SECRET: Secret,
}
