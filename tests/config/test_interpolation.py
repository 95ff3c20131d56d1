"""``%(...)s`` in values."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from backy2_core.config.interpolation import expand, reaches_outside


def test_keys_are_replaced_at_every_depth_and_a_doubled_percent_is_one() -> None:
    keys = {"host": "%(name)s.example", "name": "db"}
    assert expand("%(host)s is 100%% up, %(HOST)s", keys) == "db.example is 100% up, db.example"


@pytest.mark.parametrize("text", ["100%", "%s", "%(host", "%(host)d"])
def test_a_lone_percent_is_an_error_that_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"%% *$"):
        expand(text, {"host": "x"})


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"%\(nobody\)s: there is no such key"):
        expand("%(nobody)s", {})


def test_keys_that_name_each_other_end_with_an_error() -> None:
    with pytest.raises(ValueError, match="do two keys name each other"):
        expand("%(a)s", {"a": "%(b)s", "b": "%(a)s"})


def test_the_environment_is_read_and_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", " 50%(x)s \n")
    assert expand("a%(env:TOKEN)sb", {}) == "a50%(x)sb"
    monkeypatch.delenv("TOKEN")
    with pytest.raises(ValueError, match="environment variable TOKEN is not set"):
        expand("%(env:TOKEN)s", {})


def test_a_file_is_read_and_stripped(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n hidden \n")
    assert expand(f"%(file:{tmp_path}/secret)s", {}) == "hidden"
    with pytest.raises(ValueError, match="/none cannot be read: No such file"):
        expand(f"%(file:{tmp_path}/none)s", {})
    (tmp_path / "secret").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="not text in UTF-8"):
        expand(f"%(file:{tmp_path}/secret)s", {})


def test_a_command_runs_in_a_shell_and_its_percent_signs_are_its_own() -> None:
    assert expand("%(command:printf '%s' $(echo in side))s!", {}) == "inside!"
    assert expand("%(command: echo one; echo two )s", {}) == "one\ntwo"


def test_a_failing_command_says_its_exit_code_and_complaint_but_never_what_it_printed() -> None:
    with pytest.raises(ValueError, match=r"exit code 3: no such entry") as caught:
        expand("%(command:echo hunter2; echo no such entry >&2; exit 3)s", {})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match=r"exit code 1: it said nothing"):
        expand("%(command:false)s", {})


def test_a_command_does_not_wait_for_the_terminal() -> None:
    assert expand("%(command:cat)s", {}) == ""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o777])
def test_a_private_file_must_be_its_owners_alone(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("hidden\n")
    path.chmod(mode)
    assert expand(f"%(file:{path})s", {}) == "hidden"
    for text in (f"%(file:{path})s", "%(nested)s"):
        with pytest.raises(ValueError, match=f"chmod 600 {path}") as caught:
            expand(text, {"nested": f"%(file:{path})s"}, private=True)
        assert "hidden" not in str(caught.value)
    for own in (0o600, 0o400):
        path.chmod(own)
        assert expand(f"%(file:{path})s", {}, private=True) == "hidden"


def test_a_pipe_is_private_whatever_its_mode(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    writer = threading.Thread(target=pipe.write_text, args=["hidden"])
    writer.start()
    assert expand(f"%(file:{pipe})s", {}, private=True) == "hidden"
    writer.join()


@pytest.mark.parametrize(
    ("text", "outside"),
    [("%(env:A)s", True), ("x%(command:a)s", True), ("%(a)s", False), ("100%%", False), ("50 %", False)],
)
def test_what_reaches_outside_is_told_without_reading_it(text: str, outside: bool) -> None:
    assert reaches_outside(text) is outside
