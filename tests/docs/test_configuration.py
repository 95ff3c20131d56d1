"""docs/configuration.md names every setting, with its type and its default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backy2_core.api import SettingType
from backy2_core.config import legacy
from backy2_core.config.load import load_config
from backy2_core.config.places import CONFIG_VARIABLE, SYSTEM_FILES, find_config
from backy2_core.config.values import render_value
from tests.config.test_example import declared
from tests.docs import pages

PAGE = "docs/configuration.md"


def heading(section: str, kind: str) -> str:
    """The heading under which the settings of a section stand."""
    if section.startswith("schedule:"):
        return "[schedule:NAME]"
    if section.startswith("key:"):
        return "[key:ID]"
    return f"[{section}] with type = {kind}" if kind else f"[{section}]"


@pytest.mark.parametrize(("section", "kind"), [(section, kind) for section, kind, _ in declared()])
def test_every_setting_is_described_with_its_type_and_default(section: str, kind: str) -> None:
    settings = next(settings for name, type_, settings in declared() if (name, type_) == (section, kind))
    table = next(pages.tables(pages.sections(PAGE, 3)[heading(section, kind)]))
    assert table[0] == ["key", "type", "default", "meaning"]
    expected = []
    for setting in settings:
        value = render_value(setting.type, setting.default)
        default = "required" if setting.required else f"`{value}`" if value else "none"
        expected.append([f"`{setting.name}`", str(setting.type), default])
    assert [row[:3] for row in table[1:]] == expected
    assert all(len(row[3]) > 10 for row in table[1:])


def test_every_type_is_explained() -> None:
    table = next(pages.tables(pages.sections(PAGE, 2)["How it is written"]))
    assert [row[0] for row in table[1:]] == [str(kind) for kind in SettingType]


def test_the_places_are_those_that_are_looked_at(tmp_path: Path) -> None:
    text = pages.sections(PAGE, 2)["Which file is read"]
    assert f"`{CONFIG_VARIABLE}`" in text
    places = ["--config", CONFIG_VARIABLE, "~/.config/backy2/plugins.cfg", *map(str, SYSTEM_FILES)]
    at = [text.index(place) for place in places]
    assert at == sorted(at)
    own = tmp_path / "backy2" / "plugins.cfg"
    own.parent.mkdir()
    own.touch()
    assert find_config(None, {"XDG_CONFIG_HOME": str(tmp_path)}) == own


@pytest.mark.parametrize("number", range(2))
def test_the_examples_are_understood(tmp_path: Path, number: int) -> None:
    text = [block.text for block in pages.blocks(PAGE) if block.info == "ini"][number]
    secret = tmp_path / "engine"
    secret.write_text("sqlite:////x\n")
    path = tmp_path / "plugins.cfg"
    path.write_text(text.replace("/etc/backy2/engine", str(secret)))
    config = load_config(str(path))
    for section, kind, settings in declared():
        if kind and config.type_of(section) == kind:
            values = config.plugin_settings(section, settings)
            assert values.get("path", "/mnt/backup/backy2/store") == "/mnt/backup/backy2/store"


def test_the_names_of_the_original_are_told() -> None:
    text = pages.sections(PAGE, 2)["A backy.cfg of backy2 2.x"]
    for theirs, ours in legacy.SECTIONS.items():
        [row] = [row for row in next(pages.tables(text)) if f"[{theirs}]" in pages.named(row[0])]
        assert f"[{ours}]" in pages.named(row[1])
    for name in [*legacy.IGNORED_SECTIONS, *(key for _, key in legacy.IGNORED_KEYS)]:
        assert name in text, name
    assert os.path.exists(pages.ROOT / "plugins.cfg.example")
