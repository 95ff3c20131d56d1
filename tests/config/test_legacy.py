"""The original's ``backy.cfg`` is understood as it stands."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from backy2_core.api import Secret, Setting, SettingType
from backy2_core.config.load import Config, load_config
from backy2_core.errors import ConfigError
from backy2_core.plugins.discovery import DATA_BACKENDS, META_BACKENDS, SOURCES, TRANSFORMS
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


KEY = "0123456789abcdef" * 4
KEYS = (
    Setting("encryption_key", SettingType.SECRET, None, "Key."),
    Setting("former_encryption_keys", SettingType.SECRET, None, "Keys."),
)


def keys_of(config: Config) -> dict[str, Secret | None]:
    return config.plugin_settings("transform:backy2_v1", KEYS)


@pytest.mark.parametrize(
    ("text", "encrypted", "makes"),
    [
        (f"encryption_key: {KEY}", True, True),
        (f"encryption_key: {KEY}\nencryption_version: 1", True, True),
        ("encryption_version: 1", True, False),
        (f"encryption_key: {KEY}\nencryption_version: 0", False, False),
        ("encryption_version: 0", False, False),
        ("", False, False),
    ],
)
def test_where_the_original_stored_blocks_encrypted_new_ones_are_too(
    tmp_path: Path, text: str, encrypted: bool, makes: bool
) -> None:
    config = load(tmp_path, f"[DEFAULTS]\n{text}\n")
    assert config.core.transforms == (("zstd", "aes_gcm") if encrypted else ())
    assert config.makes_keys is makes
    assert config.key_ids == (("encryption_key",) if KEY in text else ())
    assert KEY not in repr(config)


def test_a_chain_that_is_written_down_goes_before_the_one_that_the_originals_keys_mean(tmp_path: Path) -> None:
    config = load(tmp_path, f"[DEFAULTS]\nencryption_key: {KEY}\ntransforms: aes_gcm\n")
    assert config.core.transforms == ("aes_gcm",)


def test_the_key_goes_to_the_transform_that_opens_old_blobs(tmp_path: Path) -> None:
    config = load(tmp_path, f"[DEFAULTS]\nencryption_key: {KEY}\nencryption_version: 0\n")
    assert keys_of(config) == {"encryption_key": Secret(KEY), "former_encryption_keys": None}
    registry = PluginRegistry()
    plugin = registry.load(TRANSFORMS, "backy2_v1")
    assert config.plugin_settings("transform:backy2_v1", registry.settings(plugin)) == keys_of(config)
    config.check_names("transform", {"zlib"})


def test_the_key_may_come_from_elsewhere_like_every_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD_KEY", KEY)
    assert keys_of(load(tmp_path, "[DEFAULTS]\nencryption_key: %(env:OLD_KEY)s\n"))["encryption_key"] == Secret(KEY)
    text = f"[DEFAULT]\nhalf = {KEY[:32]}\n[DEFAULTS]\nprocess_name: {KEY[32:]}\nencryption_key: %(half)s%(process_name)s\n"
    assert keys_of(load(tmp_path, text))["encryption_key"] == Secret(KEY)
    monkeypatch.delenv("OLD_KEY")
    with pytest.raises(
        ConfigError, match=r"section \[DEFAULTS\], key encryption_key: the environment variable OLD_KEY"
    ):
        keys_of(load(tmp_path, "[DEFAULTS]\nencryption_key: %(env:OLD_KEY)s\n"))


def test_keys_before_a_rekey_may_stand_beside_an_original_file(tmp_path: Path) -> None:
    text = f"[DEFAULTS]\nencryption_key: {KEY}\n[transform:backy2_v1]\nformer_encryption_keys = {'1' * 64}\n"
    assert keys_of(load(tmp_path, text)) == {
        "encryption_key": Secret(KEY),
        "former_encryption_keys": Secret("1" * 64),
    }


def test_one_key_in_two_places_is_refused(tmp_path: Path) -> None:
    text = f"[DEFAULTS]\nencryption_key: {KEY}\n[transform:backy2_v1]\nencryption_key = {KEY}\n"
    with pytest.raises(ConfigError, match=r"encryption_key .* \[DEFAULTS\] and \[transform:backy2_v1\]"):
        load(tmp_path, text)


def test_the_key_is_not_known_in_our_own_core_section(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"section \[backy2\], key encryption_key is not known"):
        load(tmp_path, f"[backy2]\nencryption_key = {KEY}\n")
    ours = load(tmp_path, f"[transform:backy2_v1]\nencryption_key = {KEY}\n")
    assert keys_of(ours)["encryption_key"] == Secret(KEY)
    assert (ours.key_ids, ours.makes_keys, ours.core.transforms) == ((), False, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[DEFAULTS]\n", "sha512"),
        ("[DEFAULTS]\nhash_function: sha256\n", "sha256"),
        ("[MetaBackend]\n[DataBackend]\n", "sha512"),
        ("[backy2]\n", "blake3"),
        ("[backy2]\n[io_file]\n", "blake3"),
        ("[data_backend]\n", "blake3"),
        ("", "blake3"),
    ],
)
def test_without_a_hash_function_an_original_file_means_the_originals(tmp_path: Path, text: str, expected: str) -> None:
    assert load(tmp_path, text).core.hash_function == expected


def test_the_file_of_release_2_2_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "[DEFAULTS]\nlogfile: /var/log/backy.log\n[MetaBackend]\ntype: sql\nengine: sqlite:////a\n"
        "[DataBackend]\ntype: files\npath: /b\nsimultaneous_writes: 5\n"
        "[Reader]\ntype: librbd\nceph_conffile: /etc/ceph/ceph.conf\nsimultaneous_reads: 10\n",
    )
    assert (config.type_of("meta_backend"), config.type_of("data_backend")) == ("sql", "file")
    assert config.core.hash_function == "sha512"


def test_the_word_of_release_2_2_is_no_type_of_metadata(tmp_path: Path) -> None:
    assert load(tmp_path, "[MetaBackend]\ntype: files\n").type_of("meta_backend") == "files"


ORIGINALS = Path(__file__).parent.parent / "data" / "original"
FILES = sorted(str(path.relative_to(ORIGINALS)) for path in ORIGINALS.glob("*/backy.cfg*"))


@pytest.mark.parametrize("name", FILES)
def test_the_files_that_releases_worked_with_are_read_as_written(name: str) -> None:
    config = load_config(str(ORIGINALS / name))
    registry = PluginRegistry()
    data, meta = (
        config.plugin_settings(section, registry.settings(registry.load(group, config.type_of(section))))
        for section, group in (("data_backend", DATA_BACKENDS), ("meta_backend", META_BACKENDS))
    )
    assert (data["path"], meta["engine"]) == ("data", Secret("sqlite:///backy.sqlite"))
    assert config.core.block_size == (4096 if "bs4096" in name or name.startswith("295") else 65536)
    assert (config.core.hash_function, config.core.logfile) == ("sha512", "backy.log")
    assert (len(config.schedules()), config.makes_keys) == (
        4 if name[:2] == "21" else 0,
        "encryption_version: 1" in text(name),
    )


def test_there_are_files_of_several_releases() -> None:
    assert len({name.partition("-")[0] for name in FILES}) >= 4


def text(name: str) -> str:
    return (ORIGINALS / name).read_text(encoding="utf-8")


def test_messages_name_what_the_file_says(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"section \[DataBackend\], key paht is not known. Did you mean path"):
        load(tmp_path, "[DataBackend]\npaht: /a\n").plugin_settings("data_backend", [PATH])


def test_an_encryption_version_that_never_was_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[DEFAULTS\], key encryption_version: '7'.*0 or 1"):
        load(tmp_path, ORIGINAL.replace("encryption_version: 0", "encryption_version: 7"))


def test_more_workers_than_a_machine_can_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers 100000"):
        load(tmp_path, "[backy2]\nworkers = 100000\n")
