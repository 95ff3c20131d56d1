"""Texts of settings become values."""

from __future__ import annotations

from typing import Any

import pytest

from backy2_core.config.core import CORE_SETTINGS
from backy2_core.config.values import parse_value, render_value
from backy2_core.contracts.settings import Setting, SettingType
from backy2_core.model.secret import Secret

T = SettingType


def setting(kind: SettingType, **more: Any) -> Setting:
    return Setting("key", kind, None, "help", **more)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (T.TEXT, "  some text ", "some text"),
        (T.INTEGER, "4194304", 4194304),
        (T.INTEGER, "4M", 4 * 1024**2),
        (T.INTEGER, "2 k", 2048),
        (T.INTEGER, "1g", 1024**3),
        (T.INTEGER, "1T", 1024**4),
        (T.INTEGER, "-1", -1),
        (T.NUMBER, "0.5", 0.5),
        (T.BOOLEAN, "Yes", True),
        (T.BOOLEAN, "1", True),
        (T.BOOLEAN, "off", False),
        (T.DURATION, "90", 90.0),
        (T.DURATION, "1.5h", 5400.0),
        (T.DURATION, "7d", 7 * 86400.0),
        (T.DURATION, "2 m", 120.0),
        (T.LIST, "a, b\nc  d,", ("a", "b", "c", "d")),
        (T.LIST, "", ()),
        (T.SECRET, "x", Secret("x")),
    ],
)
def test_text_is_understood(kind: SettingType, text: str, value: object) -> None:
    assert parse_value(setting(kind), text) == value


def test_a_path_has_its_tilde_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/a")
    assert parse_value(setting(T.PATH), "~/b") == "/home/a/b"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (T.INTEGER, "4.5", "'4.5' is not a whole number"),
        (T.INTEGER, "4X", "'4X' is not a whole number"),
        (T.NUMBER, "nan", "'nan' is not a number"),
        (T.NUMBER, "one", "'one' is not a number"),
        (T.BOOLEAN, "maybe", "'maybe' is neither yes nor no"),
        (T.DURATION, "5w", "'5w' is not a time"),
        (T.DURATION, "-5s", "'-5s' is not a time"),
    ],
)
def test_text_that_is_not_understood_says_what_was_expected(kind: SettingType, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_value(setting(kind), text)


def test_a_value_below_the_minimum_says_the_least() -> None:
    with pytest.raises(ValueError, match="1k is too small; the least is 1M"):
        parse_value(setting(T.INTEGER, minimum=1024**2), "1k")
    assert parse_value(setting(T.INTEGER, minimum=1024), "1k") == 1024


def test_a_text_outside_the_choices_names_them() -> None:
    with pytest.raises(ValueError, match="'c' is none of a, b"):
        parse_value(setting(T.TEXT, choices=("a", "b")), "c")
    with pytest.raises(ValueError, match="'c' is none of a, b"):
        parse_value(setting(T.LIST, choices=("a", "b")), "a, c")
    assert parse_value(setting(T.LIST, choices=("a", "b")), "b a") == ("b", "a")


def test_a_secret_is_in_no_message() -> None:
    with pytest.raises(ValueError, match="this is none of") as caught:
        parse_value(setting(T.SECRET, choices=("a",)), "hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("core", CORE_SETTINGS, ids=lambda s: s.name)
def test_a_rendered_default_is_understood_as_that_default(core: Setting) -> None:
    text = render_value(core.type, core.default)
    if core.default is None:
        assert text == ""
    else:
        assert parse_value(core, text) == core.default


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (T.DURATION, 90.0, "90s"),
        (T.DURATION, 0.0, "0"),
        (T.DURATION, 0.5, "0.5s"),
        (T.DURATION, 7200.0, "2h"),
        (T.INTEGER, 0, "0"),
        (T.INTEGER, 1536, "1536"),
        (T.NUMBER, 6.0, "6"),
        (T.BOOLEAN, False, "no"),
        (T.SECRET, Secret("x"), ""),
    ],
)
def test_values_are_rendered_the_short_way(kind: SettingType, value: object, text: str) -> None:
    assert render_value(kind, value) == text
