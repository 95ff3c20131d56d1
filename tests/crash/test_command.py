"""The real command: killed, stopped in order, paused, and out of space."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.audit import check_exact, column
from tests.crash.disks import MemoryDisk, mounted

DATA_BACKEND, JOB_LOST, TERMINATED = 14, 18, 143
SIZE = 6 * 1024 * 1024


class Installation:
    """A configuration with a slow store (so that a backup lasts seconds), an image, and the command."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder = folder
        self.store = store
        self.database = folder / "meta.sqlite"
        self.image = folder / "image"
        self.image.write_bytes(random.Random(1).randbytes(SIZE))
        self._config = folder / "plugins.cfg"
        self._config.write_text(
            f"[backy2]\nblock_size = 4k\nlease = 1s\nlogfile = {folder}/log\nbuffer_size = 1M\nflush_size = 1M\n"
            f"[data_backend]\ntype = file\npath = {store}\nbandwidth_write = %(env:SPEED)s\n"
            f"[meta_backend]\ntype = sql\nengine = sqlite:///{self.database}\n"
        )
        self.run("initdb")

    def start(self, *arguments: str, slow: bool = False) -> subprocess.Popen[str]:
        """Start the command."""
        environment = os.environ | {"BACKY2_CONFIG": str(self._config), "SPEED": "1500000" if slow else "0"}
        return subprocess.Popen(
            [sys.executable, "-m", "backy2_core.cli.main", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Run the command to its end; what it printed, results and messages."""
        out, err, code = ended(self.start(*arguments))
        assert code == expect, (code, out, err)
        return out + err

    def slow_backup(self) -> subprocess.Popen[str]:
        """A backup that has put some blobs when this returns, and needs seconds for the rest."""
        process = self.start("backup", f"file://{self.image}", "vm", slow=True)
        _until(self._put_some, process)
        return process

    def versions(self) -> list[dict[str, Any]]:
        """What ls lists."""
        out, err, code = ended(self.start("ls", "-f", "json"))
        assert code == 0, err
        listed: list[dict[str, Any]] = json.loads(out)
        return listed

    def incomplete(self) -> str:
        """The uid of the one version, which is incomplete."""
        (version,) = self.versions()
        assert version["state"] == "incomplete"
        return str(version["uid"])

    def check_continued(self, uid: str) -> None:
        """Continue a version, restore it, compare, clean up, and see that nothing is left."""
        self.run("backup", "-c", uid, f"file://{self.image}", "vm")
        target = self.folder / "target"
        self.run("restore", uid, f"file://{target}")
        assert target.read_bytes() == self.image.read_bytes()
        self.run("cleanup", "--full")
        check_exact(self.database, self.store)

    def wait_for_leases(self) -> None:
        """Return when no job is live any more, by the database's own clock."""
        query = "SELECT count(*) FROM backy2_jobs WHERE state = 1 AND lease_until > {}"
        _until(lambda: column(self.database, query.format(int(time.time() * 1e6))) == [0])

    def _put_some(self) -> bool:
        return len(list(self.store.glob(".backy2-tmp/*/*"))) + len(list(self.store.glob("??/??/*.blob"))) > 50


@pytest.fixture
def installation(quick_folder: Path) -> Installation:
    """An installation in a folder of its own."""
    return Installation(quick_folder, quick_folder / "data")


def ended(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    """What a process printed, and its exit code."""
    out, err = process.communicate(timeout=60)
    return out, err, process.returncode


def _until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert process is None or process.poll() is None, ended(process)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_backup_that_was_killed_can_be_continued_once_its_lease_ran_out(installation: Installation) -> None:
    process = installation.slow_backup()
    process.kill()
    assert ended(process)[2] == -signal.SIGKILL
    installation.wait_for_leases()
    installation.check_continued(installation.incomplete())


def test_a_backup_that_was_terminated_ends_in_order_and_can_be_continued_at_once(installation: Installation) -> None:
    process = installation.slow_backup()
    process.terminate()
    _, err, code = ended(process)
    assert code == TERMINATED
    assert "Traceback" not in err
    assert list(installation.store.glob(".backy2-tmp/*")) == []
    installation.check_continued(installation.incomplete())


def test_a_backup_that_was_paused_until_its_lease_ran_out_says_that_it_is_lost(installation: Installation) -> None:
    process = installation.slow_backup()
    os.kill(process.pid, signal.SIGSTOP)
    uid = installation.incomplete()
    installation.wait_for_leases()
    installation.run("rm", uid)
    installation.run("cleanup", "--full")
    os.kill(process.pid, signal.SIGCONT)
    _, err, code = ended(process)
    assert code == JOB_LOST, err
    assert "lease" in err
    assert "Traceback" not in err
    assert installation.versions() == []
    installation.run("cleanup", "--full")
    check_exact(installation.database, installation.store)


def test_a_full_store_is_told_in_one_line_that_names_it(tmp_path: Path) -> None:
    with mounted(MemoryDisk(tmp_path / "disk"), 3 * 1024) as disk:
        installation = Installation(tmp_path, disk.path / "data")
        message = installation.run("backup", f"file://{installation.image}", "vm", expect=DATA_BACKEND)
        assert "No space left on device" in message
        assert str(installation.store) in message
        assert "Traceback" not in message
        disk.options("size=16m")
        installation.check_continued(installation.incomplete())
