"""How commands end."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cliff.command import Command

from backy2_core.cli.app import BackyApp
from backy2_core.cli.outcome import outcome_of
from backy2_core.cli.signals import Terminated, orderly_end
from tests.cli.conftest import MIB, Backy, Ended


def fails_at_config(backy: Backy) -> Ended:
    path = backy.folder / "bad.cfg"
    path.write_text("[backy2]\nblok_size = 4M\n")
    return backy.call("-c", str(path), "ls")


def fails_at_plugin(backy: Backy) -> Ended:
    path = backy.folder / "bad.cfg"
    path.write_text("[data_backend]\ntype = nosuch\n[meta_backend]\ntype = nosuch\n")
    return backy.call("-c", str(path), "ls")


def fails_at_schema(backy: Backy) -> Ended:
    path = backy.folder / "new.cfg"
    path.write_text(f"[meta_backend]\nengine = sqlite:///{backy.folder}/new.sqlite\n")
    return backy.call("-c", str(path), "ls")


def fails_at_ambiguity(backy: Backy) -> Ended:
    for _ in range(17):
        backy.backup()
    firsts = [line[0] for line in backy.ok("ls", "-f", "value", "-c", "uid").split()]
    return backy.call("protect", next(first for first in firsts if firsts.count(first) > 1))


def fails_at_protection(backy: Backy) -> Ended:
    uid = backy.backup()
    backy.ok("protect", uid)
    return backy.call("rm", "-f", uid)


def fails_at_hints(backy: Backy) -> Ended:
    hints = backy.folder / "hints"
    hints.write_text('[{"offset": 0, "length": 99999999999, "exists": "true"}]')
    return backy.call("backup", "-r", str(hints), backy.image, "vm")


def fails_at_target(backy: Backy) -> Ended:
    uid = backy.backup()
    return backy.call("restore", uid, backy.image)


FAILURES: dict[str, tuple[int, Callable[[Backy], Ended], str]] = {
    "no such hints file": (2, lambda b: b.call("backup", "-r", "/nothing", b.image, "vm"), "/nothing"),
    "an ambiguous version": (2, fails_at_ambiguity, "beginning of"),
    "hints beyond the end": (5, fails_at_hints, "99999999999"),
    "an unknown key": (10, fails_at_config, "block_size"),
    "an unknown backend": (11, fails_at_plugin, "nosuch"),
    "no such source": (12, lambda b: b.call("backup", f"file://{b.folder}/nothing", "vm"), "nothing"),
    "a target that is there": (13, fails_at_target, "--force"),
    "no schema": (15, fails_at_schema, "initdb"),
    "no such version": (16, lambda b: b.call("protect", "0000"), "0000"),
    "a protected version": (17, fails_at_protection, "unprotect"),
    "a database that is set up": (17, lambda b: b.ok("ls") and b.call("initdb"), "already"),
}


@pytest.mark.parametrize(("code", "fail", "hint"), FAILURES.values(), ids=FAILURES)
def test_an_error_ends_with_its_code_and_a_line_that_helps(
    backy: Backy, code: int, fail: Callable[[Backy], Ended], hint: str
) -> None:
    ended = fail(backy)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.splitlines()[-1].startswith("ERROR: ")
    assert hint in ended.err


def run_raising(error: BaseException, *argv: str) -> Ended:
    """Run a verb ``boom`` of a plugin that raises ``error``."""

    class Boom(Command):
        """Raise."""

        def take_action(self, parsed_args: argparse.Namespace) -> None:
            raise error

    out, err = io.StringIO(), io.StringIO()
    app = BackyApp(out, err)
    app.catalogue.add_command("boom", Boom)
    return Ended(app.run([*argv, "boom"]), out.getvalue(), err.getvalue())


def test_an_unexpected_exception_is_one_line_that_says_where_the_details_are(backy: Backy) -> None:
    ended = run_raising(ZeroDivisionError("by\nzero"))
    assert ended.code == 100
    assert ended.err == (
        f"ERROR: ZeroDivisionError: by zero; details are in the log file {backy.log_file};"
        " run with --debug for the traceback\n"
    )
    assert "ZeroDivisionError: by" in backy.log_file.read_text(encoding="utf-8")


def test_an_unexpected_exception_shows_its_traceback_under_debug(backy: Backy) -> None:
    assert "in take_action" in run_raising(ZeroDivisionError(), "-d").err


def test_where_there_is_no_log_file_none_is_named(backy: Backy) -> None:
    backy.log_file.mkdir(parents=True)
    assert "log file" not in run_raising(ZeroDivisionError("x"), "-q").err.splitlines()[-1]


def test_the_result_of_a_plugin_command_is_its_exit_code(backy: Backy) -> None:
    ended = run_raising(SystemExit(7))
    assert ended.code == 7


def test_damage_is_named_block_by_block_and_the_exit_code_is_20(backy: Backy) -> None:
    uid = backy.backup()
    (blob,) = backy.store.rglob("*.blob")
    blob.chmod(0o600)
    blob.write_bytes(b"\xff" * blob.stat().st_size)
    scrubbed = backy.call("scrub", "-f", "value", "-c", "damaged_blocks", "-c", "state", uid)
    assert (scrubbed.code, scrubbed.out) == (20, "damaged\n1\n")
    first, last = scrubbed.err.splitlines()
    assert "block 0 " in first
    assert blob.stem in first
    assert last == f"ERROR: Version {uid}: 1 block damaged or missing."
    target = backy.folder / "out"
    restored = backy.call("restore", "--format", "value", "--column", "damaged_blocks", uid, f"file://{target}")
    assert (restored.code, restored.out) == (20, "1\n")
    assert target.stat().st_size == 9 * MIB


def test_a_difference_to_the_source_ends_with_20_and_marks_nothing(backy: Backy) -> None:
    uid = backy.backup()
    with open(backy.image.removeprefix("file://"), "r+b") as image:
        image.seek(5 * MIB)
        image.write(b"changed")
    ended = backy.call("scrub", "-s", backy.image, "-f", "value", "-c", "different_blocks", uid)
    assert (ended.code, ended.out) == (20, "1\n")
    assert "Block 1 " in ended.err
    assert "1 block different from the source" in ended.err.splitlines()[-1]
    assert backy.ok("ls", "-f", "value", "-c", "state") == "valid\n"


ENDS = ((signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP"))


@pytest.mark.parametrize(("number", "code", "word"), ENDS, ids=[end[2] for end in ENDS])
def test_a_signal_ends_a_backup_in_order(slow: Backy, number: signal.Signals, code: int, word: str) -> None:
    with slow.spawn("backup", slow.image, "vm") as process:
        assert process.stderr is not None
        assert "Backing up" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[-1].startswith("ERROR: ")
    assert word in err
    assert f"(exit code {code})" in slow.log_file.read_text(encoding="utf-8").splitlines()[-1]
    assert slow.ok("jobs", "-f", "value") == "", "the lease must be given back"
    uid, state = slow.ok("ls", "-f", "value", "-f", "uid,state").split()
    assert state == "incomplete"
    slow.patch.setenv("SPEED", "0")
    assert slow.ok("-m", "backup", "-c", uid, slow.image, "vm") == f"{uid}\n"
    assert json.loads(slow.ok("scrub", "-f", "json", uid))["state"] == "valid"


def test_nohup_protects_from_a_hang_up(slow: Backy) -> None:
    command = ["nohup", *slow.command("-q", "backup", slow.image, "vm")]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        wait_for(lambda: slow.ok("jobs", "-f", "value") != "")
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def test_a_second_signal_does_not_disturb_the_tidying_up() -> None:
    tidied = []

    def work() -> None:
        with orderly_end():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                tidied.append(True)

    with pytest.raises(Terminated):
        work()
    assert tidied == [True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_handlers_of_others_are_left_alone() -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_end():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old)


def test_a_message_is_always_one_line() -> None:
    assert outcome_of(ValueError("a\n b")).message == "ValueError: a b"


def test_the_restored_image_is_whole(backy: Backy) -> None:
    target = backy.folder / "out"
    backy.backup()
    assert backy.call("restore", "latest:vm", f"file://{target}").code == 0
    assert target.read_bytes() == Path(backy.image.removeprefix("file://")).read_bytes()
