"""What the log file holds, and that its troubles are nobody else's."""

from __future__ import annotations

import io
import logging
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core.cli.logs import Logging, command_line
from tests.cli.conftest import Backy

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[(\d+)\] (.*)")


def lines_of(backy: Backy) -> list[str]:
    return backy.log_file.read_text(encoding="utf-8").splitlines()


def messages_of(backy: Backy) -> list[str]:
    found = [LINE.fullmatch(line) for line in lines_of(backy)]
    return [match[2] for match in found if match]


def test_a_run_is_its_command_line_what_it_did_and_its_outcome(backy: Backy) -> None:
    uid = backy.backup("-s", "one two")
    first, *middle, last = lines_of(backy)
    assert all(LINE.fullmatch(line) for line in (first, *middle, last))
    assert messages_of(backy)[0] == f"$ backy2 -m backup -s 'one two' {backy.image} vm"
    assert any(uid in line for line in middle)
    assert last.endswith("] backy2 complete")


def test_every_line_has_the_number_of_the_process(backy: Backy) -> None:
    with backy.spawn("ls") as process:
        process.communicate(timeout=60)
    assert {match[1] for line in lines_of(backy) if (match := LINE.fullmatch(line))} == {str(process.pid)}


def test_a_failure_is_recorded_with_message_exit_code_and_traceback(backy: Backy) -> None:
    ended = backy.call("backup", f"file://{backy.folder}/nothing", "vm")
    outcome = next(message for message in messages_of(backy) if "failed" in message)
    assert outcome == f"backy2 failed: {ended.err.removeprefix('ERROR: ').strip()} (exit code 12)"
    assert "Traceback (most recent call last):" in lines_of(backy)


def test_a_mistyped_command_line_is_recorded_without_a_traceback(backy: Backy) -> None:
    backy.call("lss")
    backy.call("restore", "--sprase", "a", "b")
    assert messages_of(backy)[0::2] == ["$ backy2 lss", "$ backy2 restore --sprase a b"]
    assert [message[-13:] for message in messages_of(backy)[1::2]] == ["(exit code 2)"] * 2
    assert "Traceback (most recent call last):" not in lines_of(backy)


def test_an_error_whose_message_says_all_is_recorded_without_a_traceback(backy: Backy) -> None:
    backy.call("rm", "latest:nothing")
    assert messages_of(backy)[-1].endswith("(exit code 16)")
    assert "Traceback (most recent call last):" not in lines_of(backy)


def test_help_and_version_leave_no_trace(backy: Backy) -> None:
    for argv in (["--help"], ["--version"], ["ls", "--help"], []):
        backy.call(*argv)
    assert not backy.log_file.exists()


SECRETS = {
    "a password": ("adopt mysql://u:p4ss@h/db", "adopt mysql://u:***@h/db"),
    "one without a user": ("adopt redis://:p4ss@h", "adopt redis://:***@h"),
    "one with a slash and an at": ("adopt mysql://u:p4/p4@p4ss@h/db", "adopt mysql://u:***@h/db"),
    "one with a blank": ("adopt 'mysql://u:p4 p4ss@h/db'", "adopt mysql://u:***@h/db"),
    "one within an option": ("backup --expire=x://u:p4ss@h a", "backup --expire=x://u:***@h a"),
    "a parameter": (
        "adopt 'postgresql://h/db?user=u&password=p4ss&x=1'",
        "adopt 'postgresql://h/db?user=u&password=***&x=1'",
    ),
    "others of its kind": (
        "adopt 's3://h?secret_access_key=p4ss;Token=p4ss'",
        "adopt 's3://h?secret_access_key=***;Token=***'",
    ),
    "words of a connection": ("adopt 'host=h password=p4ss'", "adopt 'host=h password=***'"),
    "a key": (f"adopt --key {'a4' * 32}", "adopt --key ***"),
    "the arguments of rekey": ("-c my.cfg rekey -x p4ss", "-c my.cfg rekey -x ***"),
}


@pytest.mark.parametrize(("typed", "recorded"), SECRETS.values(), ids=SECRETS)
def test_no_secret_of_a_command_line_is_recorded(backy: Backy, typed: str, recorded: str) -> None:
    assert command_line(shlex.split(typed)) == f"backy2 {recorded}"
    ended = backy.call(*shlex.split(typed))
    assert ended.code != 0
    text = backy.log_file.read_text(encoding="utf-8") if backy.log_file.exists() else ""
    assert "p4ss" not in text
    assert "a4a4" not in text


@pytest.mark.parametrize(
    "harmless",
    [
        "backup rbd://pool/image@snap vm",
        "backup file:///a:b@c vm",
        "ls -t password",
        "rm 52da2130-2929-11e7-bde0-003048d74f6c",
    ],
)
def test_what_is_no_secret_is_recorded_as_it_is(harmless: str) -> None:
    assert command_line(shlex.split(harmless)) == f"backy2 {harmless}"


def test_a_secret_in_a_message_or_a_traceback_is_masked(tmp_path: Path) -> None:
    console = io.StringIO()
    handlers = Logging(console, logging.INFO, lambda: None)
    handlers.open_file(str(tmp_path / "log"))
    try:
        raise ValueError("cannot open mysql://u:p4ss@h/db?ssl_password=p4ss now")
    except ValueError as error:
        logging.getLogger("backy2_core.test").error("no %s", error, exc_info=error)
    handlers.close()
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "] no cannot open mysql://u:***@h/db?ssl_password=*** now" in text
    assert "\nValueError: cannot open mysql://u:***@h/db?ssl_password=*** now" in text
    assert "p4ss" not in text + console.getvalue()
    assert "Traceback" in text


def test_a_secret_that_was_given_as_an_argument_leaves_the_list_of_processes() -> None:
    script = (
        "import sys; from backy2_core.cli.main import main; main(sys.argv[1:]);"
        "print(open('/proc/self/cmdline').read().rstrip('\\0').replace('\\0', ' '))"
    )
    shown = {
        url: subprocess.run(
            [sys.executable, "-c", script, "lss", url], capture_output=True, text=True, check=True
        ).stdout
        for url in ("x://u:p4ss@h", "x://u@h")
    }
    assert shown["x://u:p4ss@h"] == "backy2 lss x://u:***@h\n"
    assert "lss x://u@h" in shown["x://u@h"]


def test_the_password_of_a_url_is_not_recorded() -> None:
    line = command_line(["backup", "s3://key:secret@host/image", "rbd://pool/image@snap", "a\nb"])
    assert line == "backy2 backup s3://key:***@host/image rbd://pool/image@snap 'a\\nb'"


def test_the_file_is_for_its_owner_alone(backy: Backy) -> None:
    old = os.umask(0)
    try:
        backy.ok("ls")
    finally:
        os.umask(old)
    assert stat.S_IMODE(backy.log_file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_a_warning(backy: Backy) -> None:
    backy.log_file.mkdir(parents=True)
    ended = backy.call("ls")
    assert ended.code == 0
    assert (
        ended.err
        == f"WARNING: The log file {backy.log_file} cannot be written (Is a directory); this run is not recorded.\n"
    )


def test_a_full_disk_is_one_warning_and_no_failure(backy: Backy) -> None:
    backy.log_file.parent.mkdir(parents=True)
    backy.log_file.symlink_to("/dev/full")
    ended = backy.call("backup", backy.image, "vm")
    assert ended.code == 0
    assert ended.err.count("No space left") == 1
    assert "Traceback" not in ended.err


@pytest.fixture
def logging_to(tmp_path: Path) -> Logging:
    made = Logging(io.StringIO(), logging.INFO, lambda: None)
    made.open_file(str(tmp_path / "log"))
    return made


def test_a_file_that_was_rotated_away_is_opened_anew(tmp_path: Path, logging_to: Logging) -> None:
    log = logging.getLogger("backy2_plugins.test")
    log.info("before")
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.info("after")
    logging_to.close()
    assert "before" in (tmp_path / "log.1").read_text(encoding="utf-8")
    assert "after" in (tmp_path / "log").read_text(encoding="utf-8")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_the_file_may_be_rotated_under_a_running_backup(slow: Backy) -> None:
    log, old = slow.log_file, slow.log_file.with_suffix(".1")
    with slow.spawn("backup", slow.image, "vm") as process:
        assert process.stderr is not None
        assert "Backing up" in process.stderr.readline()
        log.rename(old)
        process.terminate()
        process.communicate(timeout=60)
    mark = f"[{process.pid}] "
    assert f"{mark}$ backy2 backup {slow.image} vm" in old.read_text(encoding="utf-8")
    (last,) = lines_of(slow)
    assert f"{mark}backy2 failed: stopped by SIGTERM (exit code 143)" in last
    assert last not in old.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_libraries_are_recorded_from_warnings_on(tmp_path: Path, logging_to: Logging) -> None:
    library = logging.getLogger("strange.package")
    library.info("chatter")
    library.warning("trouble")
    logging.getLogger("backy2_plugins.test").debug("detail")
    logging_to.close()
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "trouble" in text
    assert "chatter" not in text
    assert "detail" not in text


def test_a_run_leaves_the_logging_of_the_process_as_it_was(backy: Backy) -> None:
    before = (list(logging.getLogger().handlers), logging.getLogger().level)
    backy.ok("-v", "ls")
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_the_console_shows_twenty_errors_of_a_kind_and_the_file_all(tmp_path: Path) -> None:
    console = io.StringIO()
    handlers = Logging(console, logging.INFO, lambda: None)
    handlers.open_file(str(tmp_path / "log"))
    for block in range(50):
        logging.getLogger("backy2_core.test").error("block %d", block)
        logging.getLogger("backy2_core.test").info("step %d", block)
    logging.getLogger("backy2_core.test").error("another")
    handlers.close()
    errors = [line for line in console.getvalue().splitlines() if line.startswith("ERROR")]
    assert errors[19:] == ["ERROR: block 19", "ERROR: more of this kind are in the log file only", "ERROR: another"]
    assert console.getvalue().count("step") == 50
    assert (tmp_path / "log").read_text(encoding="utf-8").count("] block") == 50
