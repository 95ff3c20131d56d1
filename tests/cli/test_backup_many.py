"""Backing up by snapshots and backing up many from the command line, by a plugin that lists files of a folder as devices."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backy2_core.cli.backup_records import COLUMNS, RECORD, checked
from backy2_core.cli.backup_records import row as row_of
from backy2_core.cli.device_names import name_of, names_of
from backy2_core.cli.many import Ending, Order
from backy2_core.errors import UsageError
from tests.cli.conftest import Backy, Ended

SHELF = Path(__file__).parent / "shelf"
BLOCK = 64 * 1024
CONFIG = """
[backy2]
block_size = 64k
[data_backend]
path = %(folder)s/data/blobs
bandwidth_write = %%(env:SPEED)s
"""


@dataclass(frozen=True)
class Site:
    """A backy2 with the plugin installed, and a folder of devices."""

    backy: Backy
    devices: Path

    def make(self, name: str, blocks: int = 4) -> Path:
        """A device with random content."""
        path = self.devices / name
        path.write_bytes(random.Random(name).randbytes(blocks * BLOCK))
        return path

    def url(self, name: str) -> str:
        return f"shelf://{self.devices}/{name}"

    def run(self, *argv: str, code: int = 0) -> Ended:
        """Run a command within this process (what it starts are processes); the exit code must be ``code``."""
        ended = self.backy.call(*argv)
        assert ended.code == code, ended.out + ended.err
        return ended

    def rows(self, *argv: str, code: int = 0) -> list[dict[str, Any]]:
        """The rows that a command prints."""
        rows = json.loads(self.run(*argv, "--format", "json", code=code).out)
        assert isinstance(rows, list)
        return rows

    def record(self, *argv: str) -> dict[str, Any]:
        """The record that a backup prints."""
        record = json.loads(self.run("backup", "--format", "json", *argv).out)
        assert isinstance(record, dict)
        return record

    def snapshots(self, name: str) -> list[str]:
        """Names of the snapshots of a device, oldest first."""
        return [entry.name.split(".", 3)[3] for entry in sorted((self.devices / f"{name}.d").glob("*"))]

    def expire_leases(self) -> None:
        """Let the leases of dead jobs run out, as time would."""
        path = self.backy.folder / "data" / "backy2" / "backy2.sqlite"
        with closing(sqlite3.connect(path)) as database, database:
            assert database.execute("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1").rowcount == 1

    def restored(self, uid: str) -> bytes:
        target = self.backy.folder / f"restored-{uid}"
        self.run("restore", uid, f"file://{target}")
        return target.read_bytes()


@pytest.fixture
def site(backy: Backy) -> Site:
    installed = backy.folder / "installed"
    info = installed / "backy2_shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: backy2-shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[backy2.sources]\nshelf = backy2_shelf\n")
    backy.patch.setenv("PYTHONPATH", f"{installed}{os.pathsep}{SHELF}")
    backy.patch.syspath_prepend(SHELF)
    backy.patch.syspath_prepend(installed)
    backy.patch.setenv("SPEED", "0")
    path = backy.folder / "config" / "backy2" / "plugins.cfg"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG % {"folder": backy.folder})
    devices = backy.folder / "devices"
    devices.mkdir()
    made = Site(backy, devices)
    made.run("initdb")
    return made


# -- one


def test_a_device_with_snapshots_is_backed_up_by_what_changed(site: Site) -> None:
    device = site.make("vm1")
    first = site.record(site.url("vm1"), "vm1")
    with device.open("r+b") as file:
        file.write(b"new")
    second = site.record(site.url("vm1"), "vm1")
    assert (first["bytes_read"], second["bytes_read"], second["bytes_kept"]) == (4 * BLOCK, BLOCK, 3 * BLOCK)
    assert site.snapshots("vm1") == [second["snapshot_name"]]
    assert site.restored(second["uid"]) == device.read_bytes()
    assert site.record("--full", site.url("vm1"), "vm1")["bytes_read"] == 4 * BLOCK


def test_without_a_name_the_versions_are_called_as_the_device(site: Site) -> None:
    site.make("vm1")
    assert site.record(site.url("vm1"))["name"] == "vm1"
    assert site.record(f"{site.url('vm1')}@{site.snapshots('vm1')[0]}")["name"] == "vm1"


@pytest.mark.parametrize("options", [["-r", "hints"], ["-f", "latest:vm1"], ["-c", "abc"]])
def test_full_goes_with_nothing_from_before(site: Site, options: list[str]) -> None:
    site.make("vm1")
    (site.backy.folder / "hints").write_text("[]")
    assert "--full" in site.run("backup", "--full", *options, site.url("vm1"), "vm1", code=2).err


@pytest.mark.parametrize("point", ["before create", "after create", "after changes", "before remove", "after remove"])
def test_killed_in_each_window_the_next_run_is_right_and_tidy(site: Site, point: str) -> None:
    device = site.make("vm1")
    site.record(site.url("vm1"), "vm1")
    device.write_bytes(b"killed" + device.read_bytes()[6:])
    site.backy.patch.setenv("SHELF_KILL", point)
    assert site.backy.run("backup", site.url("vm1"), "vm1").code == -signal.SIGKILL
    site.backy.patch.delenv("SHELF_KILL")
    device.write_bytes(b"killed and well" + device.read_bytes()[15:])
    site.expire_leases()
    record = site.record(site.url("vm1"), "vm1")
    assert site.snapshots("vm1") == [record["snapshot_name"]]
    assert record["bytes_read"] == BLOCK
    assert site.restored(record["uid"]) == device.read_bytes()


# -- many


def test_a_pattern_backs_up_all_that_it_means(site: Site) -> None:
    devices = [site.make(f"vm{number}") for number in range(3)]
    site.make("other")
    rows = site.rows("backup", site.url("vm*"))
    assert [row["name"] for row in rows] == ["vm0", "vm1", "vm2"]
    assert [row["state"] for row in rows] == ["valid"] * 3
    assert [row["error"] for row in rows] == [""] * 3
    assert all(row["duration_s"] > 0 and row["size_bytes"] == 4 * BLOCK for row in rows)
    for row, device in zip(rows, devices, strict=True):
        assert site.restored(row["uid"]) == device.read_bytes()
    assert {version["name"] for version in site.rows("ls")} == {"vm0", "vm1", "vm2"}


def test_options_hold_for_each(site: Site) -> None:
    for number in range(2):
        site.make(f"vm{number}")
    site.run("backup", "-t", "nightly,odd", "-s", "monday", "-e", "2031-02-03", site.url("vm*"), "rbd-{name}")
    rows = site.rows("ls")
    assert [row["name"] for row in rows] == ["rbd-vm0", "rbd-vm1"]
    for row in rows:
        assert (row["tags"], row["snapshot_name"]) == (["nightly", "odd"], "monday")
        assert row["expire"] == "2031-02-03T00:00:00Z"
    rows = site.rows("backup", "--full", site.url("vm*"), "rbd-{name}")
    assert all(row["bytes_read"] == 4 * BLOCK for row in rows)


def test_one_that_fails_stops_no_other_and_the_exit_code_says_so(site: Site) -> None:
    site.make("vm1")
    site.make("vm3")
    (site.devices / "vm2").symlink_to("nowhere")
    ended = site.run("backup", site.url("vm*"), "--format", "json", code=12)
    rows = {row["name"]: row for row in json.loads(ended.out)}
    assert [rows[name]["state"] for name in ("vm1", "vm2", "vm3")] == ["valid", "failed", "valid"]
    assert "no device" in rows["vm2"]["error"]
    assert rows["vm2"]["uid"] == ""
    assert "1 of 3 backups failed" in ended.err
    assert "[vm2] ERROR: there is no device" in ended.err


def test_failures_of_different_kinds_have_a_code_of_their_own(site: Site) -> None:
    (site.devices / "vm1").symlink_to("nowhere")
    site.make("odd-vm2")
    rows = site.rows("backup", site.url("*vm?"), code=100)
    assert [(row["name"], row["state"]) for row in rows] == [("odd-vm2", "failed"), ("vm1", "failed")]
    assert site.rows("backup", site.url("odd*"), code=11)[0]["state"] == "failed"


def test_a_pattern_that_means_nothing_is_an_error(site: Site) -> None:
    assert "means nothing that is there" in site.run("backup", site.url("vm*"), code=12).err


@pytest.mark.parametrize("options", [["-r", "hints"], ["-f", "latest:vm1"], ["-c", "abc"]])
def test_what_is_of_one_source_goes_with_no_pattern(site: Site, options: list[str]) -> None:
    site.make("vm1")
    (site.backy.folder / "hints").write_text("[]")
    assert "pattern" in site.run("backup", *options, site.url("vm*"), code=2).err
    assert site.rows("ls") == []


def test_two_devices_never_get_one_name(site: Site) -> None:
    site.make("vm1")
    site.make("vm2")
    assert "both be backed up as vm" in site.run("backup", site.url("vm*"), "vm", code=2).err
    assert site.rows("ls") == []


def test_the_rows_go_through_every_formatter(site: Site) -> None:
    site.make("vm1")
    site.make("vm2")
    shown = site.run("backup", site.url("vm*"), "--format", "csv").out
    assert [row["name"] for row in csv.DictReader(io.StringIO(shown))] == ["vm1", "vm2"]
    shown = site.run("backup", site.url("vm*"), "--format", "value", "--column", "source", "--column", "name").out
    assert shown.splitlines() == [f"{name} {site.url(name)}" for name in ("vm1", "vm2")]
    assert "| vm1 " in site.run("backup", site.url("vm*")).out
    lines = site.run("-m", "backup", site.url("vm*")).out.splitlines()
    assert [line.split("|")[0] for line in lines] == ["name", "vm1", "vm2"]
    assert len(site.run("-m", "-s", "backup", site.url("vm*")).out.splitlines()) == 2


def test_only_so_many_run_at_once(site: Site) -> None:
    for number in range(4):
        site.make(f"vm{number}", blocks=2)
    ended = site.run("-v", "backup", "--parallel", "1", site.url("vm*"))
    order = [line.split("]")[0] for line in ended.err.splitlines() if line.startswith("[")]
    assert list(dict.fromkeys(order)) == ["[vm0", "[vm1", "[vm2", "[vm3"]
    assert order == sorted(order)
    for wrong in ("0", "-1", "1.5", "many"):
        ended = site.run("backup", f"--parallel={wrong}", site.url("vm*"), code=2)
        assert f"--parallel: {wrong!r} is no whole number of at least 1" in ended.err


@pytest.fixture
def running(site: Site) -> Iterator[subprocess.Popen[str]]:
    """A backup of two large devices that writes slowly; both have begun."""
    for number in range(3):
        site.make(f"vm{number}", blocks=600)
    site.backy.patch.setenv("SPEED", "3M")
    with site.backy.spawn("backup", site.url("vm*")) as process:
        until(lambda: len(site.rows("ls")) == 2)
        yield process
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def until(condition: Any) -> None:
    """Wait, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_all_in_order(
    site: Site, running: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == code
    assert "[vm0] ERROR: " in err
    assert "[vm1] ERROR: " in err
    assert "[vm2]" not in err
    # Each ended its job in order; none waits for its lease.
    assert site.rows("jobs") == []


def test_all_end_when_the_first_is_killed(site: Site, running: subprocess.Popen[str]) -> None:
    running.kill()
    until(lambda: site.rows("jobs") == [])
    assert [row["state"] for row in site.rows("ls")] == ["incomplete"] * 2


# -- devices whose names look like patterns


def bounded(site: Site, *argv: str) -> Ended:
    """Run a command as a process which, if it does not end, is killed, and with it all that it started."""
    with site.backy.spawn(*argv) as process:
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(process.returncode, out, err)


def test_each_of_many_is_the_device_of_its_name_even_if_that_looks_like_a_pattern(site: Site) -> None:
    devices = [site.make(name) for name in ("-x", "a1", "a[1]", "star*", "{name}")]
    ended = bounded(site, "backup", "--format", "json", site.url("*"))
    assert ended.code == 0, ended.err
    rows = json.loads(ended.out)
    assert [row["name"] for row in rows] == [device.name for device in devices]
    assert [row["state"] for row in rows] == ["valid"] * len(devices)
    # One each: nobody backed up what is another's.
    assert sorted(version["uid"] for version in site.rows("ls")) == sorted(row["uid"] for row in rows)
    for row, device in zip(rows, devices, strict=True):
        assert site.restored(row["uid"]) == device.read_bytes()


def test_literally_a_device_is_backed_up_whatever_its_name_looks_like(site: Site) -> None:
    for name in ("a1", "a[1]"):
        site.make(name)
    record = site.record("--literal", site.url("a[1]"))
    assert record["name"] == "a[1]"
    assert site.restored(record["uid"]) == (site.devices / "a[1]").read_bytes()


def test_literally_a_source_is_never_a_pattern(site: Site) -> None:
    site.make("vm1")
    assert "there is no device" in site.run("backup", "--literal", site.url("vm*"), code=12).err
    assert site.rows("ls") == []
    assert site.record("--literal", site.url("vm1"))["name"] == "vm1"


def test_what_was_started_for_one_of_many_starts_no_others(site: Site) -> None:
    site.make("vm1")
    site.backy.patch.setenv("BACKY2_LIFELINE", "stdin")
    with site.backy.spawn("backup", site.url("vm*")) as process:
        # Its standard input stays open until it ended: it would stop otherwise.
        assert process.stderr is not None
        assert "there is no device" in process.stderr.read()
        assert process.wait(60) == 12
    site.backy.patch.delenv("BACKY2_LIFELINE")
    assert site.rows("ls") == []


# -- what they print


def test_one_that_prints_anything_but_its_record_has_failed(site: Site) -> None:
    site.make("loud")
    site.make("quiet")
    ended = site.run("-m", "-s", "backup", site.url("*"), code=100)
    loud, quiet = (line.split("|") for line in ended.out.splitlines())
    assert loud[:3] == ["loud", "", "failed"]
    assert "expected one record of a version of loud, but the command printed 'how loud {" in loud[-1]
    assert (quiet[0], quiet[2], quiet[-1]) == ("quiet", "valid", "")
    assert "1 of 2 backups failed" in ended.err


WHOLE = {**dict.fromkeys(RECORD), "name": "vm1", "uid": "abc", "state": "valid", "date": "2031-02-03T00:00:00Z"}


@pytest.mark.parametrize(
    ("printed", "came"),
    [
        ("", "nothing"),
        ("\n", "nothing"),
        ("[]", "'[]'"),
        (json.dumps([WHOLE]), "'[{"),
        (json.dumps(WHOLE) * 2, "'{"),
        ('{"uid": "abc", "name": "vm1"}', """'{"uid": "abc", "name": "vm1"}'"""),
        (json.dumps({**WHOLE, "uid": ""}), "'{"),
        (json.dumps({**WHOLE, "name": "vm2"}), "'{"),
    ],
)
def test_only_one_record_of_a_version_of_the_name_counts(printed: str, came: str) -> None:
    ending = checked(Ending(Order("vm1", []), 0, printed, "", 1.0))
    assert ending.code == 100
    assert f"but the command printed {came}" in ending.error
    assert "`backy2 ls vm1`" in ending.error
    assert len(ending.error) < 250
    cells = dict(zip(COLUMNS, row_of("shelf:///vm1", ending), strict=True))
    assert (cells["name"], cells["uid"], cells["state"]) == ("vm1", "", "failed")
    assert cells["error"] == ending.error


def test_what_came_to_its_end_with_one_record_or_failed_by_itself_stays_as_it_is() -> None:
    order = Order("vm1", [])
    for ending in (Ending(order, 0, json.dumps(WHOLE), "", 1.0), Ending(order, 12, "", "there is no device", 1.0)):
        assert checked(ending) is ending


# -- names


def test_names_are_made_of_the_url() -> None:
    assert name_of("rbd://pool/vm1") == "vm1"
    assert name_of("rbd://pool/ns/vm1@snap") == "vm1"
    assert name_of("rbd://pool/ns/vm1", "{parent}/{name}-x") == "ns/vm1-x"
    assert name_of("file:///dev/vg0/vm1", "plain") == "plain"


@pytest.mark.parametrize(
    ("url", "template"), [("rbd://pool/", "{name}"), ("rbd://pool/vm1", "{image}"), ("x", "{name}")]
)
def test_what_makes_no_name_is_refused(url: str, template: str) -> None:
    with pytest.raises(UsageError):
        name_of(url, template)


def test_names_of_many_are_told_apart() -> None:
    urls = ["rbd://pool/one/vm1", "rbd://pool/two/vm1"]
    with pytest.raises(UsageError, match="parent"):
        names_of(urls, "{name}")
    assert list(names_of(urls, "{parent}-{name}").values()) == ["one-vm1", "two-vm1"]
