"""Asking for the settings of a plugin."""

from __future__ import annotations

import json

from tests.cli.conftest import Backy


def settings(backy: Backy, *argv: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(backy.ok("plugins", "show", *argv, "-f", "json"))
    return rows


def test_the_settings_of_every_plugin_of_a_name_are_shown(backy: Backy) -> None:
    groups = {row["group"] for row in settings(backy, "file")}
    assert "backy2.data_backends" in groups
    path = next(row for row in settings(backy, "file") if row["key"] == "path")
    assert (path["type"], path["required"], path["default"]) == ("path", True, "")
    assert path["help"]


def test_a_group_narrows_it_with_and_without_its_prefix(backy: Backy) -> None:
    short = settings(backy, "data_backends", "file")
    assert {row["group"] for row in short} == {"backy2.data_backends"}
    assert settings(backy, "backy2.data_backends", "file") == short


def test_what_is_not_there_is_said(backy: Backy) -> None:
    assert backy.call("plugins", "show", "nosuch").code == 16
    assert backy.call("plugins", "show", "sources", "sql").code == 16
    ended = backy.call("plugins", "show", "nosuch", "file")
    assert ended.code == 2
    assert "data_backends" in ended.err


def test_plugins_are_shown_even_if_the_configuration_is_broken(backy: Backy) -> None:
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("nonsense\n")
    assert backy.call("ls").code == 10
    assert settings(backy, "sql")
    assert "formatters" in backy.ok("plugins", "list")


def test_the_value_in_force_and_its_place_are_shown(backy: Backy) -> None:
    rows = {row["key"]: row for row in settings(backy, "data_backends:file")}
    assert (rows["path"]["value"], rows["path"]["from"]) == (str(backy.store), "embedded defaults")
    assert rows["flush_method"]["from"] == "default"
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[DataBackend]\npath = /srv/x\nflush_method = fsync\n[source:file]\nsimultaneous_reads = nine\n")
    rows = {row["key"]: row for row in settings(backy, "data_backends:file")}
    place = f"{config}, section [DataBackend], key flush_method"
    assert (rows["flush_method"]["value"], rows["flush_method"]["from"]) == ("fsync", place)
    rows = {row["key"]: row for row in settings(backy, "data_backends", "null")}
    assert all(str(row["from"]).startswith("not selected") for row in rows.values())
    rows = {row["key"]: row for row in settings(backy, "source", "file")}
    assert rows["simultaneous_reads"]["value"] == ""
    assert "key simultaneous_reads: 'nine' is not a whole number" in str(rows["simultaneous_reads"]["from"])


def test_a_secret_is_never_shown(backy: Backy) -> None:
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[transform:backy2_v1]\nencryption_key = 5ec4e7\n")
    rows = {row["key"]: row for row in settings(backy, "backy2_v1")}
    assert rows["encryption_key"]["type"] == "secret"
    assert rows["encryption_key"]["value"] == "(not shown)"
    assert "5ec4e7" not in json.dumps(rows)
    assert "key encryption_key" in str(rows["encryption_key"]["from"])


def test_aliases_are_shown(backy: Backy) -> None:
    rows = {row["key"]: row for row in settings(backy, "data_backends:s3")}
    assert rows["bucket"]["aliases"] == "bucket_name"
