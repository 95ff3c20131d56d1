"""What is wrong with a plugin is said, with its distribution; and nobody is hurt who did not select it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backy2_core.api import Source
from backy2_core.errors import PluginError
from backy2_core.plugins.discovery import SOURCES
from backy2_core.plugins.registry import PluginRegistry, PluginState
from tests.plugins.conftest import Program

pytestmark = pytest.mark.xdist_group("plugins")

CONFIG = """
[data_backend]
type = file
path = {folder}/store

[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite
"""

REFUSED_WHEN_LOADED = [
    ("fails_at_import", "importing stranger_broken.fails_at_import raised RuntimeError: no luck today"),
    ("stops_the_program", "importing stranger_broken.stops_the_program raised SystemExit: bye"),
    ("without_a_module", "raised ModuleNotFoundError: No module named 'stranger_broken.without_a_module'"),
    ("with_an_unknown_hook", "PluginValidationError: unknown hook 'backy2_open_sauce'"),
    (
        "with_a_wrong_argument",
        "Argument(s) {'colour'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    (
        "too_old",
        "was written for version 0 of the plugin API, too old for this release, which takes 1 to 1; a newer plugin",
    ),
    (
        "too_new",
        "was written for version 2 of the plugin API, too new for this release, which takes 1 to 1; a newer backy2",
    ),
    ("versionless", "carries no integer backy2_api_version (this release has 1)"),
    ("with_text_as_version", "carries no integer backy2_api_version"),
    ("a_class", "names the class Plugin; name a module or an instance"),
    ("incomplete", "has no hook backy2_open_source, which every source needs"),
    ("unmarked", "has a function backy2_open_source, but it is not marked @hookimpl"),
    ("unhashable", "a plugin object must be hashable"),
]
REFUSED_WHEN_CALLED = [
    (
        "of_another_class",
        "backy2_open_source returned an instance of builtins.str, expected an instance of backy2_core.api.Source",
    ),
    ("nothing", "backy2_open_source returned None, expected an instance of backy2_core.api.Source"),
    ("abstract", "backy2_open_source raised TypeError: Can't instantiate abstract class Half"),
    ("fails", "backy2_open_source raised ValueError: bad luck"),
]


@pytest.fixture
def registry(broken: Path, monkeypatch: pytest.MonkeyPatch) -> PluginRegistry:
    """The plugins of this process, the broken ones among them."""
    monkeypatch.syspath_prepend(broken)
    return PluginRegistry()


@pytest.fixture
def program(broken: Path, tmp_path: Path) -> Program:
    """The program beside the broken plugins, with its own backends selected."""
    return Program(tmp_path, [broken], CONFIG.format(folder=tmp_path))


@pytest.mark.parametrize(("name", "reason"), REFUSED_WHEN_LOADED, ids=[name for name, _ in REFUSED_WHEN_LOADED])
def test_a_plugin_is_refused_when_it_is_selected_and_the_message_says_whose_it_is(
    registry: PluginRegistry, name: str, reason: str
) -> None:
    with pytest.raises(PluginError) as caught:
        registry.load(SOURCES, name)
    message = str(caught.value)
    assert message.startswith(
        f"plugin {name!r} of group backy2.sources (distribution stranger-broken 6.6) cannot be used: "
    )
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize(("name", "reason"), REFUSED_WHEN_CALLED, ids=[name for name, _ in REFUSED_WHEN_CALLED])
def test_what_a_hook_returns_is_refused_unless_it_is_of_the_roles_class(
    registry: PluginRegistry, name: str, reason: str
) -> None:
    plugin = registry.load(SOURCES, name)
    with pytest.raises(PluginError) as caught:
        registry.call(plugin, "backy2_open_source", url="x", settings={})
    assert f"plugin {name!r} of group backy2.sources (distribution stranger-broken 6.6)" in str(caught.value)
    assert reason in str(caught.value)


def test_a_missing_method_is_named(registry: PluginRegistry) -> None:
    with pytest.raises(PluginError, match=r"allocated.*read_into"):
        registry.call(registry.load(SOURCES, "abstract"), "backy2_open_source", url="x", settings={})


@pytest.mark.parametrize(
    ("name", "reason"),
    [("setting_twice", "backy2_settings declares a twice"), ("settings_of_text", "must return a sequence of")],
)
def test_settings_that_cannot_be_are_refused(registry: PluginRegistry, name: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        registry.settings(registry.load(SOURCES, name))


def test_what_was_refused_leaves_nothing_behind(registry: PluginRegistry) -> None:
    for name, _ in REFUSED_WHEN_LOADED * 2:
        with pytest.raises(PluginError):
            registry.load(SOURCES, name)
    file = registry.load(SOURCES, "file")
    source = registry.call(file, "backy2_open_source", url=f"file://{__file__}", settings=_defaults(registry))
    assert isinstance(source, Source)
    source.close()


def test_two_loaded_plugins_do_not_answer_for_each_other(registry: PluginRegistry) -> None:
    fails, file = registry.load(SOURCES, "fails"), registry.load(SOURCES, "file")
    for _ in range(2):
        with pytest.raises(PluginError, match="bad luck"):
            registry.call(fails, "backy2_open_source", url="x", settings={})
        registry.call(file, "backy2_open_source", url=f"file://{__file__}", settings=_defaults(registry)).close()


def test_a_plugin_without_a_hook_is_told_from_one_that_fails(registry: PluginRegistry) -> None:
    plugin = registry.load(SOURCES, "lives_on")
    assert registry.offers(plugin, "backy2_open_source")
    assert not registry.offers(plugin, "backy2_open_target")
    with pytest.raises(PluginError, match=r"'lives_on' .* has no hook backy2_open_target"):
        registry.call(plugin, "backy2_open_target", url="x", settings={}, request=None)
    assert registry.settings(plugin) == ()


def test_an_unknown_name_names_the_nearest_and_all_others(registry: PluginRegistry) -> None:
    with pytest.raises(
        PluginError, match=r"no plugin 'fiel' in group backy2.sources: did you mean file or fails\? .*null"
    ):
        registry.load(SOURCES, "fiel")


def test_the_listing_tries_every_plugin_and_never_fails(registry: PluginRegistry) -> None:
    rows = {row.name: row for row in registry.inspect_all() if row.group == SOURCES}
    for name, reason in REFUSED_WHEN_LOADED:
        assert (rows[name].state, rows[name].distribution, rows[name].version) == (
            PluginState.BROKEN,
            "stranger-broken",
            "6.6",
        )
        assert reason in rows[name].reason
    assert (rows["lives_on"].state, rows["lives_on"].api_version) == (PluginState.OK, 1)
    assert rows["file"].state is PluginState.OK


def test_two_distributions_that_claim_one_name_are_both_named(registry: PluginRegistry) -> None:
    owners = "claimed by stranger-twin-one 1.0 and stranger-twin-two 2.0"
    with pytest.raises(PluginError, match=f"plugin 'twin' of group backy2.sources cannot be used: {owners}"):
        registry.load(SOURCES, "twin")
    rows = registry.describe(SOURCES, "twin")
    assert [(row.distribution, row.state) for row in rows] == [
        ("stranger-twin-one", PluginState.DUPLICATE),
        ("stranger-twin-two", PluginState.DUPLICATE),
    ]
    assert all(owners in row.reason for row in rows)


def test_the_environment_decides_between_twins(program: Program) -> None:
    program.run("initdb")
    assert "claimed by stranger-twin-one 1.0 and stranger-twin-two 2.0" in (
        program.run("backup", "twin:///x", "vm", code=11).stderr
    )
    program.variables["BACKY2_PLUGINS"] = "stranger-twin-two"
    assert "this is twin two" in program.run("backup", "twin:///x", "vm", code=12).stderr
    program.variables["BACKY2_PLUGINS"] = "stranger-twin-one"
    assert "this is twin one" in program.run("backup", "twin:///x", "vm", code=12).stderr


def test_broken_plugins_hurt_nothing_until_they_are_selected(program: Program, image: Path) -> None:
    program.run("--help")
    program.run("initdb")
    done = program.run("backup", f"file://{image}", "vm")
    assert "listener fails_at_import is left out: plugin 'fails_at_import' of group backy2.listeners" in done.stderr
    assert "(distribution stranger-broken 6.6)" in done.stderr
    program.run("scrub", "latest:vm")
    program.run("restore", "latest:vm", f"file://{program.folder}/restored")
    assert (program.folder / "restored").read_bytes() == image.read_bytes()
    assert [row["state"] for row in program.rows("ls")] == ["valid"]
    states = {(row["group"], row["name"]): row["state"] for row in program.rows("plugins", "list")}
    assert states["backy2.sources", "fails_at_import"] == "broken"
    assert states["backy2.commands", "explode"] == "broken"
    assert states["backy2.commands", "pretend"] == "broken"
    assert states["backy2.sources", "twin"] == "duplicate"


@pytest.mark.parametrize("role", ["source", "data backend", "formatter", "required listener", "command"])
def test_a_broken_plugin_that_is_selected_ends_the_command_with_a_message(program: Program, role: str) -> None:
    program.run("initdb")
    arguments = ["ls"]
    if role == "source":
        arguments = ["backup", "fails_at_import:///x", "vm"]
    elif role == "data backend":
        program.config = program.config.replace("type = file", "type = fails_at_import")
        arguments = ["cleanup"]
    elif role == "formatter":
        arguments = ["ls", "-f", "fails_at_import"]
    elif role == "required listener":
        program.config += "[backy2]\nrequired_listeners = fails_at_import\n"
        arguments = ["cleanup"]
    else:
        arguments = ["explode"]
    done = program.run(*arguments, code=11)
    assert "RuntimeError: no luck" in done.stderr
    assert "distribution stranger-broken 6.6" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_required_listener_that_is_not_installed_ends_the_command(program: Program) -> None:
    program.config += "[backy2]\nrequired_listeners = pager\n"
    program.run("initdb")
    assert "required listeners are not installed: pager" in program.run("cleanup", code=11).stderr


def test_a_listener_cannot_be_both_required_and_disabled(program: Program) -> None:
    program.config += "[backy2]\nrequired_listeners = fails_at_import\ndisabled_listeners = fails_at_import\n"
    program.run("initdb")
    assert "both required and disabled: fails_at_import" in program.run("cleanup", code=10).stderr


def _defaults(registry: PluginRegistry) -> dict[str, object]:
    return {setting.name: setting.default for setting in registry.settings(registry.load(SOURCES, "file"))}
