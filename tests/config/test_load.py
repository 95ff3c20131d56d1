"""Sections and keys: known or refused, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backy2_core.api import Secret, Setting, SettingType
from backy2_core.config.load import Config, Schedule, load_config
from backy2_core.errors import ConfigError

PATH = Setting("path", SettingType.PATH, "/default", "Where.", aliases=("folder",))
TOKEN = Setting("token", SettingType.SECRET, None, "Key.")
NEEDED = Setting("engine", SettingType.TEXT, None, "URL of the database.", required=True)


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "plugins.cfg"
    path.write_text(text)
    return load_config(str(path))


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/plugins.cfg")
    return message.removeprefix(f"{tmp_path}/plugins.cfg")


def test_core_settings_are_parsed(tmp_path: Path) -> None:
    core = load(
        tmp_path,
        "[backy2]\nblock_size: 1M\nhash_function = sha512\ndeduplication = off\nworkers = 3\nbuffer_size = 8M\n"
        "flush_size = 16M\nsanity_check_blocks = 0\nlease = 1m\nabandon_incomplete_after = 2d\n"
        "disallow_rm_when_younger_than_days = 6\nlogfile = /l\nprocess_name = p\ndisabled_listeners = a b\n"
        "required_listeners = c\ntransforms = zstd, aes_gcm\n",
    ).core
    assert (core.block_size, core.hash_function, core.deduplication, core.workers) == (1024**2, "sha512", False, 3)
    assert (core.buffer_bytes, core.flush_bytes, core.sanity_check_blocks) == (8 * 1024**2, 16 * 1024**2, 0)
    assert (core.lease_s, core.abandon_incomplete_s, core.rm_min_age_days) == (60.0, 2 * 86400.0, 6.0)
    assert (core.logfile, core.process_name) == ("/l", "p")
    assert (core.disabled_listeners, core.required_listeners) == (("a", "b"), ("c",))
    assert core.transforms == ("zstd", "aes_gcm")


def test_a_block_size_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    assert "block_size 134217728 is too big; the most is 64M" in refused(tmp_path, "[backy2]\nblock_size = 128M\n")
    assert "section [backy2], key block_size: 100 is too small" in refused(tmp_path, "[backy2]\nblock_size = 100\n")


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        ("data_backnd", "Did you mean [data_backend]?"),
        ("databackend", "Did you mean [data_backend]?"),
        ("DEFAULT S", "Did you mean [DEFAULTS]?"),
        ("sorce:file", "Did you mean [source:file]?"),
        ("source", "Did you mean [source:NAME]?"),
        ("source:", "Did you mean [source:NAME]?"),
        ("zzz", "Known are backy2, data_backend, meta_backend"),
    ],
)
def test_an_unknown_section_names_the_nearest_one(tmp_path: Path, section: str, hint: str) -> None:
    message = refused(tmp_path, f"[{section}]\nx = 1\n")
    assert f", section [{section}] is not known." in message
    assert hint in message


def test_an_unknown_key_names_the_nearest_one(tmp_path: Path) -> None:
    message = refused(tmp_path, "[backy2]\nblok_size = 1M\n")
    assert message == ", section [backy2], key blok_size is not known. Did you mean block_size?"


def test_a_plugins_section_is_checked_when_the_plugin_asks_and_not_before(tmp_path: Path) -> None:
    config = load(tmp_path, "[source:web]\npaht = /a\n[data_backend]\ntype = file\nfolder = ~/b\n")
    assert config.plugin_settings("data_backend", [PATH, TOKEN])["token"] is None
    with pytest.raises(ConfigError, match=r"section \[source:web\], key paht is not known. Did you mean path"):
        config.plugin_settings("source:web", [PATH])
    with pytest.raises(ConfigError, match=r"key paht is not known. Known are: none"):
        config.plugin_settings("source:web", [])


def test_a_plugin_without_a_section_gets_its_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config.plugin_settings("source:web", [PATH, TOKEN]) == {"path": "/default", "token": None}


def test_a_required_key_that_is_missing_is_named_with_its_help(tmp_path: Path) -> None:
    config = load(tmp_path, "[meta_backend]\ntype = sql\n")
    with pytest.raises(ConfigError, match=r"section \[meta_backend\], key engine is missing: URL of the database"):
        config.plugin_settings("meta_backend", [NEEDED])


def test_two_keys_of_one_meaning_are_refused(tmp_path: Path) -> None:
    config = load(tmp_path, "[data_backend]\nfolder = a\npath = b\n")
    with pytest.raises(ConfigError, match="keys path and folder mean the same"):
        config.plugin_settings("data_backend", [PATH])


def test_a_section_that_is_not_in_the_file_keeps_its_embedded_default(tmp_path: Path) -> None:
    config = load(tmp_path, "[data_backend]\ntype = other\n")
    assert config.type_of("data_backend") == "other"
    assert config.plugin_settings("data_backend", [PATH]) == {"path": "/default"}
    assert config.type_of("meta_backend") == "sql"
    engine = config.plugin_settings("meta_backend", [NEEDED])["engine"]
    assert engine.startswith("sqlite:////")
    assert engine.endswith("/.local/share/backy2/backy2.sqlite")


def test_a_value_is_evaluated_only_when_it_is_used_and_a_failure_names_its_place(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    config = load(tmp_path, f"[data_backend]\npath = %(command:touch {marker}; exit 4)s\n[source:file]\ntoken = x\n")
    assert config.plugin_settings("source:file", [TOKEN]) == {"token": Secret("x")}
    assert not marker.exists()
    with pytest.raises(ConfigError, match=r"plugins.cfg, section \[data_backend\], key path: .* exit code 4"):
        config.plugin_settings("data_backend", [PATH])
    assert marker.exists()


def test_a_wrong_value_names_file_section_and_key(tmp_path: Path) -> None:
    message = refused(tmp_path, "[backy2]\nlease = soon\n")
    assert message.startswith(", section [backy2], key lease: 'soon' is not a time")


def test_default_holds_what_others_name_and_nothing_else(tmp_path: Path) -> None:
    config = load(tmp_path, "[DEFAULT]\nroot = /srv\n[data_backend]\npath = %(root)s/data\n")
    assert config.plugin_settings("data_backend", [PATH]) == {"path": "/srv/data"}
    message = refused(tmp_path, "[DEFAULT]\nblock_size = 1M\n")
    assert message.startswith(", section [DEFAULT], key block_size: this section only holds")


def test_schedules_are_read_in_both_notations(tmp_path: Path) -> None:
    config = load(tmp_path, "[schedule:daily]\ninterval=1d\nkeep=14\nsla=6h\n[hourly]\ninterval=1h\nkeep=25\nsla=1h\n")
    assert config.schedules() == [Schedule("daily", 86400.0, 14, 21600.0), Schedule("hourly", 3600.0, 25, 3600.0)]


def test_a_required_key_that_is_empty_is_refused(tmp_path: Path) -> None:
    config = load(tmp_path, "[meta_backend]\nengine =\n")
    with pytest.raises(ConfigError, match=r"section \[meta_backend\], key engine: nothing is written there"):
        config.plugin_settings("meta_backend", [NEEDED])


def test_a_schedule_with_a_foreign_or_missing_key_is_refused(tmp_path: Path) -> None:
    whole = "interval=1d\nkeep=14\nsla=6h\n"
    assert "section [daily], key kep is not known" in refused(tmp_path, f"[daily]\n{whole}kep=1\n")
    assert "A schedule needs the keys interval, keep and sla" in refused(tmp_path, "[daily]\ninterval=1d\nkeep=1\n")
    with pytest.raises(ConfigError, match="key sla is missing"):
        load(tmp_path, "[schedule:daily]\ninterval=1d\nkeep=1\n").schedules()
    assert "[schedule:daily] and [daily] mean the same" in refused(
        tmp_path, f"[schedule:daily]\n{whole}[daily]\n{whole}"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("token = hunter2\n", ": line 1 stands before the first section"),
        ("[backy2]\nhunter2\n", ": line 2 is neither a section, a comment, nor a key with a value"),
        ("[backy2]\n[backy2]\n", ": line 2: section [backy2] is there twice"),
        ("[backy2]\nlease=1\nlease=2\n", ": line 3: section [backy2], key lease is there twice"),
    ],
)
def test_a_file_that_is_no_ini_says_the_line_and_never_its_text(tmp_path: Path, text: str, reason: str) -> None:
    message = refused(tmp_path, text)
    assert reason in message
    assert "hunter2" not in message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plugins.cfg"
    path.write_bytes(b"[backy2]\nlogfile = \xff\n")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        load_config(str(path))


def test_a_section_of_a_plugin_that_is_not_installed_is_refused_by_name(tmp_path: Path) -> None:
    config = load(tmp_path, "[source:flie]\nx = 1\n[io_rbd]\nceph_conffile = /c\n")
    with pytest.raises(ConfigError, match=r"\[source:flie\]: no source 'flie' is installed. Did you mean file"):
        config.check_names("source", ["file", "null"])
    config.check_names("listener", [])
    load(tmp_path, "[io_rbd]\nceph_conffile = /c\n").check_names("source", ["file"])
