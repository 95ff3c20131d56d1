"""Where the configuration is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from backy2_core.config import places
from backy2_core.config.load import load_config
from backy2_core.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and two system files that may or may not be made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    system = (tmp_path / "etc" / "plugins.cfg", tmp_path / "etc" / "backy.cfg")
    monkeypatch.setattr(places, "SYSTEM_FILES", system)
    return tmp_path


def write(path: Path, process_name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[backy2]\nprocess_name = {process_name}\n")
    return path


def test_the_first_file_in_the_documented_order_wins_and_only_it_is_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked = [
        write(home / "argument.cfg", "argument"),
        write(home / "environment.cfg", "environment"),
        write(home / ".config/backy2/plugins.cfg", "own"),
        write(home / "etc/plugins.cfg", "system"),
        write(home / "etc/backy.cfg", "original"),
    ]
    monkeypatch.setenv("BACKY2_CONFIG", str(ranked[1]))
    assert load_config(str(ranked[0])).core.process_name == "argument"
    assert load_config(None).core.process_name == "environment"
    monkeypatch.delenv("BACKY2_CONFIG")
    for path, expected in zip(ranked[2:], ("own", "system", "original"), strict=True):
        config = load_config(None)
        assert (config.core.process_name, config.origin) == (expected, str(path))
        path.unlink()
    assert load_config(None).origin == "embedded defaults"


def test_xdg_config_home_takes_the_place_of_dot_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    write(home / ".config/backy2/plugins.cfg", "wrong")
    write(home / "elsewhere/backy2/plugins.cfg", "right")
    assert load_config(None).core.process_name == "right"


def test_a_named_file_that_is_missing_is_an_error_that_says_who_named_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"/none\.cfg: there is no such configuration file; --config names it"):
        load_config(str(home / "none.cfg"))
    monkeypatch.setenv("BACKY2_CONFIG", str(home / "none.cfg"))
    with pytest.raises(ConfigError, match=r"\$BACKY2_CONFIG names it"):
        load_config(None)


def test_a_folder_in_place_of_a_file_is_an_error(home: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(str(home))


def test_a_file_that_cannot_be_looked_for_is_an_error_and_the_next_place_is_not_tried(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "etc/plugins.cfg", "system")
    too_long = "x" * 300
    with pytest.raises(ConfigError, match="cannot be looked for: File name too long"):
        load_config(str(home / too_long))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / too_long))
    with pytest.raises(ConfigError, match="cannot be looked for: File name too long"):
        load_config(None)


def test_an_empty_argument_does_not_mean_the_usual_places(home: Path) -> None:
    write(home / "etc/plugins.cfg", "system")
    with pytest.raises(ConfigError, match="--config names no file"):
        load_config("")


def test_a_byte_order_mark_is_no_part_of_the_first_section(home: Path) -> None:
    path = home / "marked.cfg"
    path.write_text("[backy2]\nprocess_name = marked\n", encoding="utf-8-sig")
    assert load_config(str(path)).core.process_name == "marked"


def test_without_a_file_blobs_and_database_are_below_the_data_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(None)
    assert (config.type_of("data_backend"), config.type_of("meta_backend")) == ("file", "sql")
    assert places.data_folder() == home / ".local/share/backy2"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "100%"))
    assert places.data_folder() == home / "100%/backy2"


def test_a_relative_xdg_folder_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert places.data_folder() == home / ".local/share/backy2"


@pytest.mark.parametrize(
    ("user", "state_home", "expected"),
    [
        (0, None, "/var/log/backy2.log"),
        (0, "/state", "/state/backy2/backy2.log"),
        (1000, None, "HOME/.local/state/backy2/backy2.log"),
        (1000, "/state", "/state/backy2/backy2.log"),
    ],
)
def test_the_log_file_is_where_the_documentation_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, user: int, state_home: str | None, expected: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    environ = {"XDG_STATE_HOME": state_home} if state_home else {}
    assert str(places.default_log_file(environ)) == expected.replace("HOME", str(home))
