"""Lists are written into the configuration file without touching anything else of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from backy2_core.config.edit import write_lists
from backy2_core.config.load import load_config
from backy2_core.config.places import own_config
from backy2_core.errors import ConfigError

ONE = {"disabled_plugins": ["sources:rbd"]}
TWO = {"disabled_plugins": ["sources:rbd", "listeners:pager"]}
NONE: dict[str, list[str]] = {"disabled_plugins": []}

SHAPES = {
    "empty": "",
    "only a comment": "# nothing yet\n",
    "another section": "[data_backend]\ntype = null\n",
    "no line break at the end": "[data_backend]\ntype = null",
    "an empty section": "[backy2]\n",
    "an empty section before another": "; first\n[backy2]\n\n[data_backend]\n# kind\ntype = null\n",
    "keys, comments and blank lines": (
        "# top\n\n[backy2]\n# many\nworkers = 3\n\n# few\nlease: 5m\n\n# next\n[data_backend]\ntype=null\n"
    ),
    "indented": "[backy2]\n  workers = 3\n  lease = 5m\n[data_backend]\n  type = null\n",
    "values over several lines": (
        "[backy2]\nrequired_listeners =\n    one,\n    # a comment within\n    two\n[data_backend]\ntype = null\n"
    ),
    "a value that looks like a section": (
        "[data_backend]\ntype =\n    null\n[backy2]\nprocess_name = x\n  [backy2]\n  workers = 3\n"
    ),
    "windows": "[backy2]\r\nworkers = 3\r\n\r\n[data_backend]\r\ntype = null\r\n",
    "byte order mark": "\ufeff[backy2]\nworkers = 3\n",
    "the original's": "[DEFAULTS]\nlogfile: /tmp/x\n\n[MetaBackend]\ntype: backy2.meta_backends.sql\n",
    "the original's without its defaults": "[MetaBackend]\ntype: backy2.meta_backends.sql\n",
    "the last section": "[data_backend]\ntype = null\n[backy2]\nworkers = 3",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plugins.cfg"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_list_is_set_changed_and_taken_out_and_all_else_stays(file: Path, shape: str) -> None:
    file.write_bytes(shape.encode())
    before = load_config(str(file)).core
    assert write_lists(str(file), ONE) == (file, False)
    assert load_config(str(file)).core.disabled_plugins == ("sources:rbd",)
    write_lists(str(file), TWO)
    assert load_config(str(file)).core.disabled_plugins == ("sources:rbd", "listeners:pager")
    for line in shape.splitlines():
        assert line in file.read_bytes().decode().splitlines()
    write_lists(str(file), NONE)
    assert load_config(str(file)).core == before
    if "[backy2]" in shape or "[DEFAULTS]" in shape:
        assert file.read_bytes().decode().rstrip("\r\n") == shape.rstrip("\r\n")


def test_the_line_that_is_there_is_changed_where_it_stands(file: Path) -> None:
    file.write_text("[backy2]\nworkers = 3\nDisabled_Plugins: a,\n  # because\n  b\n# end\nlease = 5m\n")
    write_lists(str(file), ONE)
    assert file.read_text() == (
        "[backy2]\nworkers = 3\ndisabled_plugins = sources:rbd\n  # because\n# end\nlease = 5m\n"
    )


def test_two_keys_are_changed_at_once(file: Path) -> None:
    file.write_text("[backy2]\ndisabled_listeners = a, b\n")
    write_lists(str(file), {"disabled_plugins": ["sources:rbd"], "disabled_listeners": ["b"]})
    assert file.read_text() == "[backy2]\ndisabled_listeners = b\ndisabled_plugins = sources:rbd\n"


def test_mode_and_link_are_kept_and_nothing_is_left_beside(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real" / "backy2.cfg"
    real.parent.mkdir()
    real.write_text("[backy2]\nworkers = 3\n")
    real.chmod(0o640)
    file.symlink_to(real)
    assert write_lists(str(file), ONE) == (real, False)
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert os.listdir(real.parent) == ["backy2.cfg"]


def test_without_a_file_one_is_made_for_its_owner_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BACKY2_CONFIG", raising=False)
    assert write_lists(None, NONE) == (own_config(), False)
    assert not own_config().exists()
    assert write_lists(None, ONE) == (own_config(), True)
    assert own_config().read_text() == "[backy2]\ndisabled_plugins = sources:rbd\n"
    assert stat.S_IMODE(own_config().stat().st_mode) == 0o600
    assert load_config(None).core.disabled_plugins == ("sources:rbd",)


def test_a_value_that_comes_from_elsewhere_is_left_to_its_owner(file: Path) -> None:
    file.write_text("[backy2]\ndisabled_plugins = %(env:OFF)s\n")
    with pytest.raises(ConfigError, match="comes from elsewhere"):
        write_lists(str(file), ONE)
    assert file.read_text() == "[backy2]\ndisabled_plugins = %(env:OFF)s\n"


def test_a_file_that_is_not_understood_is_left_alone(file: Path) -> None:
    file.write_text("nonsense\n")
    with pytest.raises(ConfigError, match="before the first section"):
        write_lists(str(file), ONE)
    assert file.read_text() == "nonsense\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; run the tests as another user")
def test_a_folder_that_cannot_be_written_is_an_error(file: Path) -> None:
    file.write_text("[backy2]\n")
    file.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            write_lists(str(file), ONE)
    finally:
        file.parent.chmod(0o700)


def test_what_cannot_be_written_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[backy2]\n")

    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        write_lists(str(file), ONE)
    assert file.read_text() == "[backy2]\n"
    assert os.listdir(file.parent) == ["plugins.cfg"]
