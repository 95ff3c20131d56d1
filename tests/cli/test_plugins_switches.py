"""Switching plugins off and on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Backy


@pytest.fixture
def config(backy: Backy) -> Path:
    """A configuration file with a word of its owner."""
    path = backy.folder / "config" / "backy2" / "plugins.cfg"
    path.parent.mkdir(parents=True)
    path.write_text("# mine\n[backy2]\nworkers = 3  \n\n[schedule:daily]\n# when\ninterval = 1d\nkeep = 7\nsla = 1h\n")
    return path


def states(backy: Backy) -> dict[str, tuple[str, str]]:
    rows = json.loads(backy.ok("plugins", "list", "-f", "json"))
    return {f"{row['group'].removeprefix('backy2.')}:{row['name']}": (row["state"], row["reason"]) for row in rows}


def test_a_plugin_is_switched_off_listed_so_and_switched_on_again(backy: Backy, config: Path) -> None:
    before = config.read_text()
    ended = backy.call("plugins", "disable", "sources:null")
    assert (ended.code, ended.out) == (0, "")
    assert "sources:null is switched off; `backy2 plugins enable sources:null` switches it on" in ended.err
    state, reason = states(backy)["sources:null"]
    assert state == "disabled"
    assert reason == f"disabled_plugins in {config} names it; `backy2 plugins enable sources:null` switches it on"
    assert states(backy)["data_backends:null"][0] == "ok"
    assert "sources:null is switched on" in backy.call("plugins", "enable", "source", "null").err
    assert states(backy)["sources:null"] == ("ok", "")
    assert config.read_text() == before


def test_one_that_is_selected_ends_the_command_and_says_how_to_switch_it_on(backy: Backy, config: Path) -> None:
    backy.ok("initdb")
    backy.ok("plugins", "disable", "sources:file")
    ended = backy.call("backup", backy.image, "vm")
    assert ended.code == 11
    assert "plugin 'file' of group backy2.sources" in ended.err
    assert "is switched off: disabled_plugins in" in ended.err
    assert "`backy2 plugins enable sources:file` switches it on" in ended.err


@pytest.mark.parametrize(
    ("plugin", "command"),
    [
        ("data_backends:file", ["cleanup"]),
        ("meta_backends:sql", ["ls"]),
        ("transforms:zstd", ["backup", "IMAGE", "vm"]),
        ("formatters:json", ["ls", "-f", "json"]),
        ("formatters:table", ["ls"]),
    ],
)
def test_every_role_can_be_switched_off_ours_too(backy: Backy, config: Path, plugin: str, command: list[str]) -> None:
    config.write_text("[backy2]\ntransforms = zstd\n")
    backy.ok("initdb")
    backy.ok("plugins", "disable", plugin)
    ended = backy.call(*[backy.image if word == "IMAGE" else word for word in command])
    assert ended.code == 11, ended.err
    assert f"`backy2 plugins enable {plugin}` switches it on" in ended.err


def test_switching_off_what_the_configuration_selects_is_warned_of(backy: Backy, config: Path) -> None:
    assert "the configuration selects data_backends:file" in backy.call("plugins", "disable", "data_backends:file").err
    assert "the configuration selects" not in backy.call("plugins", "disable", "data_backends:null").err


def test_a_name_of_several_groups_must_be_said_with_its_group(backy: Backy, config: Path) -> None:
    for verb in ("disable", "enable", "check"):
        ended = backy.call("plugins", verb, "file")
        assert ended.code == 2
        assert "say which: data_backends:file or sources:file" in ended.err


def test_what_is_not_there_or_cannot_be_switched_off_is_said(backy: Backy, config: Path) -> None:
    ended = backy.call("plugins", "disable", "sources:fiel")
    assert (ended.code, "Did you mean file?" in ended.err) == (16, True)
    ended = backy.call("plugins", "disable", "sauces:file")
    assert (ended.code, "Did you mean sources?" in ended.err) == (2, True)
    ended = backy.call("plugins", "disable", "commands:ls")
    assert (ended.code, "a command has neither settings, promises nor a switch" in ended.err) == (2, True)


def test_twice_is_no_error(backy: Backy, config: Path) -> None:
    backy.ok("plugins", "disable", "zstd")
    text = config.read_text()
    assert "transforms:zstd is switched off already" in backy.call("plugins", "disable", "transforms:zstd").err
    assert config.read_text() == text
    backy.ok("plugins", "enable", "zstd")
    assert "is not switched off by the configuration" in backy.call("plugins", "enable", "zstd").err


def test_a_bare_name_in_the_file_means_all_of_that_name_and_one_of_them_can_come_back(
    backy: Backy, config: Path
) -> None:
    config.write_text("[backy2]\ndisabled_plugins = null, never_heard_of\n")
    assert {states(backy)[f"{group}:null"][0] for group in ("sources", "data_backends")} == {"disabled"}
    backy.ok("plugins", "enable", "sources:null")
    assert config.read_text() == "[backy2]\ndisabled_plugins = data_backends:null, never_heard_of\n"
    assert states(backy)["sources:null"][0] == "ok"


def test_a_group_that_is_not_there_is_an_error_that_names_the_nearest(backy: Backy, config: Path) -> None:
    config.write_text("[backy2]\ndisabled_plugins = sauces:null\n")
    ended = backy.call("ls")
    assert ended.code == 10
    assert f"{config}, section [backy2], key disabled_plugins: sauces:null" in ended.err
    assert "Did you mean sources?" in ended.err


def test_without_a_configuration_one_is_made_and_the_command_says_where(backy: Backy) -> None:
    backy.backup()
    ended = backy.call("plugins", "disable", "sources:null")
    path = backy.folder / "config" / "backy2" / "plugins.cfg"
    assert f"the configuration file {path} was made" in ended.err
    assert path.read_text() == "[backy2]\ndisabled_plugins = sources:null\n"
    backy.backup()


def test_what_the_environment_leaves_out_is_not_switched_on_by_the_configuration(
    backy: Backy, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("[backy2]\ndisabled_listeners = absent\n")
    assert backy.call("plugins", "enable", "listeners:absent").code == 16
