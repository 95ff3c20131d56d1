"""Results go to standard output, everything else to standard error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Backy


def test_results_are_on_stdout_and_logs_on_stderr(backy: Backy) -> None:
    ended = backy.run("backup", "--format", "value", "--column", "name", backy.image, "vm")
    assert (ended.code, ended.out) == (0, "vm\n")
    assert ended.err.startswith("INFO: Backing up ")


def test_an_error_is_one_line_on_stderr(backy: Backy) -> None:
    ended = backy.run("restore", "latest:nothing", f"file://{backy.folder}/out")
    assert (ended.code, ended.out) == (16, "")
    assert ended.err.startswith("ERROR: ")
    assert len(ended.err.splitlines()) == 1


def test_machine_output_keeps_the_console_silent(backy: Backy) -> None:
    ended = backy.run("-m", "backup", backy.image, "vm")
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) == 1


def test_machine_output_still_shows_errors(backy: Backy) -> None:
    assert backy.call("-m", "rm", "latest:nothing").err.startswith("ERROR: ")


def test_quiet_leaves_out_what_is_not_a_warning(backy: Backy) -> None:
    ended = backy.call("-q", "backup", backy.image, "vm")
    assert (ended.code, ended.err) == (0, "")
    assert "| uid" in ended.out


def test_debug_shows_the_traceback_of_an_error(backy: Backy) -> None:
    assert "Traceback" not in backy.call("rm", "latest:nothing").err
    ended = backy.call("--debug", "rm", "latest:nothing")
    assert ended.code == 16
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("ERROR: ")


@pytest.mark.parametrize("argv", [["--help"], ["plugins", "list"], ["-m", "ls"]])
def test_a_reader_that_went_away_is_no_noise(backy: Backy, argv: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        ended = backy.run(*argv, stdout=gone)
    assert (ended.code, ended.err) == (141, "")


@pytest.mark.parametrize("argv", [["-m", "ls"], ["--help"]])
def test_output_that_cannot_be_written_is_a_failure(backy: Backy, argv: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = backy.run(*argv, stdout=full)
    assert ended.code == 100
    assert "No space left" in ended.err
    assert "Traceback" not in ended.err


def test_a_command_works_without_any_standard_stream(backy: Backy) -> None:
    quoted = subprocess.list2cmdline(backy.command("backup", backy.image, "vm"))
    assert subprocess.run(["sh", "-c", f"{quoted} <&- >&- 2>&-"], check=False).returncode == 0
    assert len(backy.ok("-m", "ls").splitlines()) == 2


def test_a_dump_goes_to_a_pipe_by_its_name_among_the_devices(backy: Backy) -> None:
    uid = backy.backup()
    assert backy.run("export", uid, "/dev/stdout").out == backy.run("export", uid, "-").out != ""


def test_a_dump_for_a_standard_output_that_is_closed_is_a_failure(backy: Backy) -> None:
    quoted = subprocess.list2cmdline(backy.command("export", backy.backup(), "-"))
    ended = subprocess.run(["sh", "-c", f"{quoted} >&-"], check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "standard output is closed" in ended.stderr


@pytest.mark.parametrize(
    "argv", [["ls", "b\udcff"], ["backup", "file:///b\udcff", "vm"], ["add-tag", "latest:vm", "b\udcff"]]
)
def test_an_argument_that_is_no_text_is_refused_as_wrong_usage(backy: Backy, argv: list[str]) -> None:
    ended = backy.run(*argv)
    assert ended.code == 2
    assert r"\xff' is not text in UTF-8" in ended.err


def test_a_name_that_the_terminal_cannot_show_does_not_break_a_list(backy: Backy) -> None:
    backy.backup(name="Büro")
    ended = backy.run("-m", "ls", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.code == 0
    assert "B\\xfcro" in ended.out
