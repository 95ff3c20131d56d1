"""Odd but possible installations; each is a folder on the path with the files that pip would leave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from backy2_core.plugins.discovery import LISTENERS, SOURCES, installed_entries
from backy2_core.plugins.registry import PluginRegistry, PluginState

MODULE = """
from backy2_core.api import Listener, Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    raise SourceError(url)


class Deaf(Listener):
    def notify(self, event):
        pass


@hookimpl
def backy2_make_listener() -> Listener:
    return Deaf()
"""


def put(site: Path, name: str, entry_points: str, *, metadata: bool = True) -> None:
    """Leave a distribution in ``site``."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(entry_points)
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of this process."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_distribution_without_metadata_is_listed_and_breaks_nothing(site: Path) -> None:
    put(site, "half", "[backy2.sources]\nhalf = half_module\n", metadata=False)
    rows = {row.name: row for row in PluginRegistry().inspect_all()}
    assert (rows["half"].distribution, rows["half"].version, rows["half"].state) == (
        "unknown",
        "unknown",
        PluginState.BROKEN,
    )
    assert rows["ls"].state is PluginState.OK


def test_one_module_may_serve_several_names_and_roles(site: Path) -> None:
    put(site, "many", "[backy2.sources]\nred = many_roles\nblue = many_roles\n[backy2.listeners]\ndeaf = many_roles\n")
    (site / "many_roles.py").write_text(MODULE)
    registry = PluginRegistry()
    red, blue, deaf = registry.load(SOURCES, "red"), registry.load(SOURCES, "blue"), registry.load(LISTENERS, "deaf")
    assert red.plugin is blue.plugin is deaf.plugin
    assert registry.offers(blue, "backy2_open_source")
    registry.call(deaf, "backy2_make_listener", settings={})


def test_a_plugin_is_imported_once_and_only_when_it_is_asked_for(site: Path) -> None:
    put(site, "lazy", "[backy2.sources]\nlazy = lazy_module\nother = other_module\n")
    for name in ("lazy", "other"):
        note = f"with open({str(site / 'log')!r}, 'a') as log:\n    log.write('{name} ')\n"
        (site / f"{name}_module.py").write_text(MODULE + note)
    registry = PluginRegistry()
    assert {"lazy", "other"} <= set(registry.names(SOURCES))
    assert not (site / "log").exists()
    assert registry.load(SOURCES, "lazy") is registry.load(SOURCES, "lazy")
    assert (site / "log").read_text() == "lazy "


def test_the_same_distribution_twice_on_the_path_is_no_duplicate(site: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for folder in (site, again):
        put(folder, "twice", "[backy2.sources]\ntwice = twice_module\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(again)
        assert [entry.name for entry in installed_entries()].count("twice") == 1


def test_a_distribution_that_was_just_installed_is_seen_at_once(site: Path) -> None:
    assert "fresh" not in PluginRegistry().names(SOURCES)
    put(site, "fresh", "[backy2.sources]\nfresh = fresh_module\n")
    assert "fresh" in PluginRegistry().names(SOURCES)
