"""``plugins.cfg.example`` holds every setting there is, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from backy2_core.api import Setting
from backy2_core.config.core import CORE_SETTINGS
from backy2_core.config.keys import KEY_SETTINGS
from backy2_core.config.load import SCHEDULE_SETTINGS, Config, load_config
from backy2_core.config.values import render_value
from backy2_core.plugins.discovery import DATA_BACKENDS, FORMATTERS, LISTENERS, META_BACKENDS, SOURCES, TRANSFORMS
from backy2_core.plugins.registry import PluginRegistry
from tests.config.render_example import own_plugins, render

EXAMPLE = Path(__file__).parent.parent.parent / "plugins.cfg.example"
SETTING = re.compile(r"^#(\[.*\]|[a-z0-9_]+ =.*)$", re.MULTILINE)


def declared() -> list[tuple[str, str, Sequence[Setting]]]:
    """(section, type, settings) of the core and of each of our plugins that has any."""
    registry = PluginRegistry()
    out: list[tuple[str, str, Sequence[Setting]]] = [("backy2", "", CORE_SETTINGS)]
    for group, section in ((DATA_BACKENDS, "data_backend"), (META_BACKENDS, "meta_backend")):
        out += [(section, name, settings) for name, settings in own_plugins(registry, group)]
    for group, kind in (
        (SOURCES, "source"),
        (TRANSFORMS, "transform"),
        (LISTENERS, "listener"),
        (FORMATTERS, "formatter"),
    ):
        out += [(f"{kind}:{name}", "", settings) for name, settings in own_plugins(registry, group) if settings]
    return [*out, ("key:main", "", KEY_SETTINGS), ("schedule:daily", "", SCHEDULE_SETTINGS)]


def parts() -> list[tuple[str, str, dict[str, str]]]:
    """(section, type, raw values) of the example, with every setting taken out of its comment."""
    text = SETTING.sub(r"\1", EXAMPLE.read_text(encoding="utf-8"))
    out: list[tuple[str, str, dict[str, str]]] = []
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(.*)\]", line):
            out.append((header[1], "", {}))
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" =")
            if key == "type":
                out[-1] = (out[-1][0], value.strip(), out[-1][2])
            else:
                out[-1][2][key] = value.strip()
    return out


def test_the_example_is_what_core_and_plugins_declare() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render(), "out of date; `make docs` writes it anew"


def test_the_example_as_it_stands_changes_nothing(tmp_path: Path) -> None:
    config = load_config(str(EXAMPLE))
    nothing = tmp_path / "empty.cfg"
    nothing.write_text("")
    default = load_config(str(nothing))
    assert config.core == default.core
    assert (config.type_of("data_backend"), config.type_of("meta_backend")) == ("file", "sql")


def test_the_example_holds_exactly_the_declared_settings() -> None:
    assert [(section, kind, list(values)) for section, kind, values in parts()] == [
        (section, kind, [setting.name for setting in settings]) for section, kind, settings in declared()
    ]


@pytest.mark.parametrize(("section", "kind"), [(section, kind) for section, kind, _ in parts()])
def test_every_section_out_of_its_comment_is_read_and_means_the_default(
    tmp_path: Path, section: str, kind: str
) -> None:
    settings = next(s for name, type_, s in declared() if (name, type_) == (section, kind))
    values = next(v for name, type_, v in parts() if (name, type_) == (section, kind))
    config = _load(tmp_path, section, {"type": kind, **values} if kind else values)
    read = config.plugin_settings(section, settings)
    for setting in settings:
        if not setting.required:
            assert read[setting.name] == setting.default
        else:
            assert read[setting.name] is not None


def test_no_secret_has_a_default_that_the_example_would_show() -> None:
    for _, _, settings in declared():
        for setting in settings:
            if setting.type == "secret":
                assert render_value(setting.type, setting.default) == ""


def _load(folder: Path, section: str, values: dict[str, str]) -> Config:
    path = folder / "plugins.cfg"
    key = folder / "main.key"
    key.write_text("0f" * 32)
    key.chmod(0o600)
    values = {name: value.replace("/etc/backy2/main.key", str(key)) for name, value in values.items()}
    lines = [f"{key} = {value}" for key, value in values.items() if value]
    path.write_text("\n".join([f"[{section}]", *lines]))
    return load_config(str(path))
