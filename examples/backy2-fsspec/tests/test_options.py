"""What stands in the configuration reaches the filesystem as it was meant, and secrets reach nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from backy2_fsspec import backy2_open_data_backend, backy2_settings
from backy2_fsspec.backend import FsspecDataBackend
from backy2_fsspec.options import parse_options, parse_secret_options

from backy2_core.api import ConfigError, PluginError, Secret


def test_values_in_json_are_what_they_mean_and_others_are_texts() -> None:
    text = 'port=2222\n compress = true\n\nusername="007"\nkey_filename=/etc/backy2/id, the first\nnothing='
    assert parse_options(text) == {
        "port": 2222,
        "compress": True,
        "username": "007",
        "key_filename": "/etc/backy2/id, the first",
        "nothing": "",
    }


def test_a_secret_of_digits_stays_a_text_and_may_hold_any_character() -> None:
    assert parse_secret_options(Secret("password=123456\ntoken=a=b, c")) == {"password": "123456", "token": "a=b, c"}
    assert parse_secret_options(None) == {}


def test_a_line_that_is_none_is_named_without_what_it_says() -> None:
    with pytest.raises(ConfigError, match="line 2 of secret_options") as raised:
        parse_secret_options(Secret("password=1\nvery-secret-words"))
    assert "very-secret-words" not in str(raised.value)


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="secret_options") as raised:
        FsspecDataBackend("sftp://backup:letmein-please@host/store")
    assert "letmein-please" not in str(raised.value)


def test_the_settings_open_a_store(tmp_path: Path) -> None:
    settings = {setting.name: setting.default for setting in backy2_settings()}
    settings |= {"url": f"file://{tmp_path}/store", "options": "auto_mkdir=false"}
    with backy2_open_data_backend(settings) as store:
        assert store.location == f"file://{tmp_path}/store"
        assert store.capabilities.threads == 4


def test_an_option_that_the_filesystem_does_not_know_is_an_error_of_the_configuration() -> None:
    pytest.importorskip("paramiko", reason="paramiko is missing; install it with: pip install paramiko")
    with pytest.raises(ConfigError, match=r"prot.*options"):
        FsspecDataBackend("sftp://localhost/store", {"prot": 22})


def test_a_protocol_that_nobody_knows_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        FsspecDataBackend("nonsense://host/store")


def test_a_url_without_a_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no folder"):
        FsspecDataBackend("memory://")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "backy2_fsspec.dialects.sftp", None)
    with pytest.raises(PluginError, match=r"backy2-fsspec\[sftp\]"):
        FsspecDataBackend("sftp://host/store")


def test_a_secret_that_a_library_puts_into_its_message_is_masked() -> None:
    pytest.importorskip("paramiko", reason="paramiko is missing; install it with: pip install paramiko")
    with pytest.raises(ConfigError, match=r"host_key_policy.*\*\*\*") as raised:
        FsspecDataBackend("sftp://host/store", {}, {"host_key_policy": "letmein-please"})
    assert "letmein-please" not in str(raised.value)


def test_a_host_must_be_named() -> None:
    with pytest.raises(ConfigError, match="host"):
        FsspecDataBackend("sftp:///store")


def test_neither_fsspec_nor_paramiko_is_imported_before_a_store_is_opened() -> None:
    probe = (
        "import sys, backy2_fsspec; backy2_fsspec.backy2_settings(); print({'fsspec', 'paramiko'} & set(sys.modules))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", probe], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
