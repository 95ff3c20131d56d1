"""The original's ``backy.cfg`` is understood as it stands."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from backy2_core.api import Secret, Setting, SettingType
from backy2_core.config.load import Config, load_config
from backy2_core.errors import ConfigError
from backy2_core.plugins.discovery import DATA_BACKENDS, META_BACKENDS, SOURCES
from backy2_core.plugins.registry import PluginRegistry

# The keys and values that the original's last 2.9 and 2.13 releases shipped, and every key that was commented out there.
ORIGINAL = """
[DEFAULTS]
logfile: /var/log/backy.log
block_size: 4194304
hash_function: sha512
lock_dir: /run
process_name: backy2
disallow_rm_when_younger_than_days: 6
deduplication: 1
cachedir: /tmp
encryption_version: 0

[MetaBackend]
type: backy2.meta_backends.sql
engine: sqlite:////var/lib/backy2/backy.sqlite

[DataBackend]
type: backy2.data_backends.file
path: /var/lib/backy2/data
simultaneous_writes: 5
simultaneous_reads: 5
bandwidth_read: 78643200
bandwidth_write: 78643200

[NBD]
cachedir: /tmp

[io_file]
simultaneous_reads: 5
simultaneous_writes: 5

[io_rbd]
ceph_conffile: /etc/ceph/ceph.conf
simultaneous_reads: 10
simultaneous_writes: 5
new_image_features:
    RBD_FEATURE_LAYERING
    RBD_FEATURE_EXCLUSIVE_LOCK

[io_null]
simultaneous_reads: 5
simultaneous_writes: 5

[hourly]
interval: 1h
keep: 25
sla: 1h

[longterm_monthly]
interval: 30d
keep: 6
sla: 7d
"""
PATH = Setting("path", SettingType.PATH, None, "Folder.", required=True)


@pytest.fixture
def original(tmp_path: Path) -> Config:
    path = tmp_path / "backy.cfg"
    path.write_text(ORIGINAL)
    return load_config(str(path))


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "backy.cfg"
    path.write_text(text)
    return load_config(str(path))


def test_the_shipped_file_is_read(original: Config) -> None:
    core = original.core
    assert (core.logfile, core.block_size, core.hash_function) == ("/var/log/backy.log", 4194304, "sha512")
    assert (core.process_name, core.rm_min_age_days, core.deduplication) == ("backy2", 6.0, True)
    assert (original.type_of("meta_backend"), original.type_of("data_backend")) == ("sql", "file")
    assert [schedule.name for schedule in original.schedules()] == ["hourly", "longterm_monthly"]
    assert original.notices == []


@pytest.mark.parametrize(
    ("section", "group", "name", "expected"),
    [
        ("meta_backend", META_BACKENDS, "sql", {"engine": Secret("sqlite:////var/lib/backy2/backy.sqlite")}),
        (
            "data_backend",
            DATA_BACKENDS,
            "file",
            {
                "path": "/var/lib/backy2/data",
                "simultaneous_reads": 5,
                "simultaneous_writes": 5,
                "bandwidth_read": 78643200,
                "bandwidth_write": 78643200,
            },
        ),
        ("source:file", SOURCES, "file", {"simultaneous_reads": 5, "simultaneous_writes": 5}),
        ("source:null", SOURCES, "null", {"simultaneous_reads": 5, "simultaneous_writes": 5}),
    ],
)
def test_our_plugins_understand_their_sections_of_the_shipped_file(
    original: Config, section: str, group: str, name: str, expected: dict[str, object]
) -> None:
    registry = PluginRegistry()
    settings = original.plugin_settings(section, registry.settings(registry.load(group, name)))
    assert {key: settings[key] for key in expected} == expected


def test_keys_without_a_meaning_are_accepted_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        load(tmp_path, "[DEFAULTS]\nlock_dir: /run\n")
    assert "section [DEFAULTS], key lock_dir is not used: jobs hold leases" in caplog.text


def test_ignored_keys_are_ignored_in_the_originals_sections_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"section \[backy2\], key lock_dir is not known"):
        load(tmp_path, "[backy2]\nlock_dir = /run\n")
    with pytest.raises(ConfigError, match=r"section \[DEFAULTS\], key lockdir is not known"):
        load(tmp_path, "[DEFAULTS]\nlockdir = /run\n")


def test_the_originals_section_and_ours_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sections \[DEFAULTS\] and \[backy2\] mean the same; keep one"):
        load(tmp_path, "[DEFAULTS]\n[backy2]\n")


def test_a_key_of_the_originals_encryption_is_warned_of_and_never_shown(tmp_path: Path) -> None:
    key = "0123456789abcdef" * 4
    config = load(tmp_path, f"[DEFAULTS]\nencryption_key: {key}\n")
    assert len(config.notices) == 1
    assert "section [DEFAULTS], key encryption_key is not used" in config.notices[0]
    assert key not in config.notices[0] + repr(config)
    assert load(tmp_path, f"[DEFAULTS]\nencryption_key: {key}\nencryption_version: 0\n").notices == []


def test_messages_name_what_the_file_says(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"section \[DataBackend\], key paht is not known. Did you mean path"):
        load(tmp_path, "[DataBackend]\npaht: /a\n").plugin_settings("data_backend", [PATH])
