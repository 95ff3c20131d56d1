"""The bar, the title, the lines in the log."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import subprocess
import sys

import pytest

from backy2_core.cli import units
from backy2_core.cli.logs import Logging
from backy2_core.cli.progress import Bar, LogLines, ProgressBoard, Snapshot, Title, bar_line
from tests.cli.conftest import Backy

GIB = 1024**3


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A view that keeps what it was shown."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.closed = 0

    def show(self, now: Snapshot) -> None:
        self.snapshots.append(now)

    def close(self) -> None:
        self.closed += 1


def test_every_view_is_shown_how_far_it_is() -> None:
    clock, view = Clock(), Shown()
    board = ProgressBoard([view, view], clock)
    board.begin("Backing up vm", 200, "B")
    clock.now += 4
    board.advance(50)
    board.finish()
    assert view.snapshots[::2] == [Snapshot("Backing up vm", 200, "B"), Snapshot("Backing up vm", 200, "B", 50, 4.0)]
    assert view.closed == 2


def test_a_snapshot_knows_percent_speed_and_rest() -> None:
    now = Snapshot("x", 200, "B", 50, 4.0)
    assert (now.percent, now.per_second, now.remaining_s) == (25.0, 12.5, 12.0)
    assert Snapshot("x", 0, "B").percent == 100.0
    assert Snapshot("x", 10, "B").remaining_s is None


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    view = Shown()
    ProgressBoard([view]).begin("Backing up \x1b[2Jvm\n", 1, "B")
    assert view.snapshots[0].action == "Backing up ?[2Jvm?"


@pytest.mark.parametrize("width", [0, 1, 20, 40, 60, 79, 200])
@pytest.mark.parametrize("done", [0, 1, GIB // 3, GIB])
def test_a_bar_line_fits_its_terminal(width: int, done: int) -> None:
    line = bar_line(Snapshot("Backing up a-rather-long-name", GIB, "B", done, 10.0), width)
    assert len(line) <= width


def test_a_bar_shows_percent_speed_and_rest() -> None:
    line = bar_line(Snapshot("Restoring vm", GIB, "B", GIB // 2, 5.0), 79)
    assert re.fullmatch(r"Restoring vm  \[=+ +\]   50\.0%  107\.4 MB/s, ETA 5s", line)
    assert line.count("=") in range(line.count("  ") - 30, 40)


def test_a_bar_is_drawn_a_few_times_a_second_and_leaves_nothing_behind() -> None:
    clock, stream = Clock(), io.StringIO()
    bar = Bar(stream, clock)
    for step in range(100):
        bar.show(Snapshot("x", 1000, "B", step, 1.0))
        clock.now += 0.01
    assert stream.getvalue().count("%") in range(9, 12)
    bar.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_end_of_a_phase_is_always_drawn() -> None:
    stream = io.StringIO()
    bar = Bar(stream, Clock())
    bar.show(Snapshot("x", 10, "B", 9, 1.0))
    bar.show(Snapshot("x", 10, "B", 10, 1.0))
    assert "100.0%" in stream.getvalue()


def test_a_log_line_never_lands_behind_the_bar() -> None:
    stream = io.StringIO()
    bar = Bar(stream, Clock())
    handlers = Logging(stream, logging.INFO, bar.clear)
    bar.show(Snapshot("x", 10, "B", 5, 1.0))
    logging.getLogger("backy2_core.test").info("hello")
    handlers.close()
    assert stream.getvalue().endswith("\r\x1b[KINFO: hello\n")


def test_the_log_gets_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    view = LogLines()
    for second in range(0, 200, 5):
        view.show(Snapshot("Backing up vm", 2 * GIB, "B", second * GIB // 200, float(second)))
    assert [record.getMessage() for record in caplog.records] == [
        "Backing up vm: 15.0% (307.2 MiB of 2.0 GiB), 5.4 MB/s, ETA 5m40s",
        "Backing up vm: 30.0% (614.4 MiB of 2.0 GiB), 5.4 MB/s, ETA 4m40s",
        "Backing up vm: 45.0% (921.6 MiB of 2.0 GiB), 5.4 MB/s, ETA 3m40s",
    ]


def test_other_units_than_bytes_are_counted() -> None:
    assert Snapshot("x", 100, "blocks", 50, 10.0).speed_and_rest == "5.0 blocks/s, ETA 10s"


def test_the_process_title_says_what_runs_how_far_it_is_and_how_long_it_takes() -> None:
    uid = "52da2130-2929-11e7-bde0-003048d74f6c"
    script = (
        "from backy2_core.cli.progress import *; t = Title('backy2');"
        "show = lambda: print(open('/proc/self/cmdline').read().rstrip('\\0'));"
        f"t.show(Snapshot('Scrubbing Version {uid}', 10 ** 9, 'B')); show();"
        f"t.show(Snapshot('Scrubbing Version {uid}', 10 ** 9, 'B', 123 * 10 ** 6, 1.5)); show();"
        "t.close(); show()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        f"backy2 [Scrubbing Version {uid} (0.0%)]",
        f"backy2 [Scrubbing Version {uid} (12.3%) 82.0 MB/s ETA 11s]",
        "backy2",
    ]


def on_terminal(backy: Backy, *argv: str) -> tuple[int, str, str]:
    """Run a command whose stderr is a terminal: exit code, stdout, what the terminal got."""
    terminal, theirs = pty.openpty()
    with backy.spawn(*argv, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        seen = b""
        while chunk := read_terminal(terminal):
            seen += chunk
        os.close(terminal)
        assert process.stdout is not None
        out = process.stdout.read()
    return process.returncode, out, seen.decode()


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        # Linux says so when the last process has closed its side.
        return b""


def test_a_terminal_shows_a_bar_and_the_output_none(backy: Backy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    code, out, seen = on_terminal(backy, "backup", "--format", "value", "--column", "name", backy.image, "vm")
    assert (code, out) == (0, "vm\n")
    assert re.search(r"Backing up Version [0-9a-f-]+\.\.\.  \[=* *\] +\d+\.\d%", seen)
    assert seen.endswith("\r\x1b[K"), "the bar must leave nothing behind"


def test_the_titles_of_backup_restore_and_scrub_name_the_version(backy: Backy, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr(Title, "_set", staticmethod(titles.append))
    uid, target = backy.backup(), f"file://{backy.folder}/out"
    backy.ok("restore", uid, target)
    backy.ok("scrub", uid)
    begun = [title for title in titles if title.endswith("(0.0%)]")]
    assert begun == [
        f"backy2 [Backing up Version {uid} from {backy.image} (0.0%)]",
        f"backy2 [Restoring Version {uid} to {target} (0.0%)]",
        f"backy2 [Scrubbing Version {uid} (0.0%)]",
    ]


def test_a_long_action_leaves_room_for_the_bar() -> None:
    action = "Backing up Version 52da2130-2929-11e7-bde0-003048d74f6c from file:///dev/vg0/a-long-name"
    line = bar_line(Snapshot(action, GIB, "B", GIB // 2, 5.0), 79)
    assert re.fullmatch(r"Backing up Version 52da[0-9a-f-]+\.\.\.  \[=+ +\]   50\.0%  107\.4 MB/s, ETA 5s", line)


@pytest.mark.parametrize("option", ["-m", "-q"])
def test_who_asks_for_silence_sees_no_bar(backy: Backy, option: str) -> None:
    code, _, seen = on_terminal(backy, option, "backup", backy.image, "vm")
    assert (code, seen) == (0, "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3599, "59m59s"), (7620, "2h07m"), (100800, "1d04h")],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


SIZES = {
    0: "0 B",
    1023: "1023 B",
    1024: "1.0 KiB",
    1536 * 1024: "1.5 MiB",
    1024**2 - 1: "1.0 MiB",
    9 * 1024**6: "9216.0 PiB",
}


@pytest.mark.parametrize(("size", "text"), SIZES.items())
def test_a_size_is_in_steps_of_1024(size: int, text: str) -> None:
    assert units.binary_size(size) == text
