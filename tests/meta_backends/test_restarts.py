"""A database server that is killed and started again in the middle of a backup: the backup goes on, or fails in order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.servers import Server, own_mariadb, own_postgresql

BLOCK = 4096
BLOCKS = 2048
RATE = 2 * 1024 * 1024


class Installation:
    """A configuration on a server of its own, and the program."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.image = folder / "image"
        self.image.write_bytes(random.Random(7).randbytes(BLOCK * BLOCKS))
        sections = {
            "backy2": {"block_size": BLOCK, "flush_size": "1M", "buffer_size": "1M", "lease": 4},
            "meta_backend": {"engine": server.make_database()},
            "data_backend": {"path": folder / "data", "bandwidth_write": RATE},
        }
        text = "".join(
            f"[{name}]\n" + "".join(f"{key} = {str(value).replace('%', '%%')}\n" for key, value in keys.items())
            for name, keys in sections.items()
        )
        (folder / "backy2.cfg").write_text(text)
        self.run("initdb")

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "backy2_core.cli.main", "--config", self.folder / "backy2.cfg", *words]
        environment = {**os.environ, "HOME": str(self.folder)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def run(self, *words: str | Path) -> str:
        process = self.start(*words)
        output, said = process.communicate()
        assert process.returncode == 0, said
        return output

    def versions(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self.run("ls", "--format", "json"))
        return rows


@pytest.fixture(params=["postgresql", "mariadb"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    with closing({"postgresql": own_postgresql, "mariadb": own_mariadb}[request.param]()) as server:
        yield Installation(tmp_path, server)


def restores_identically(installation: Installation, uid: str) -> bool:
    target = installation.folder / f"restored-{uid}"
    installation.run("restore", uid, f"file://{target}")
    same = target.read_bytes() == installation.image.read_bytes()
    target.unlink()
    return same


@pytest.mark.parametrize("down_s", [0.0, 1.5])
def test_a_backup_goes_on_when_its_server_was_killed_and_started_again(installation, down_s):
    backup = installation.start("backup", f"file://{installation.image}", "vm")
    wait_until_it_writes(installation, backup)
    installation.server.kill()
    threading.Event().wait(down_s)
    installation.server.start()
    _, said = backup.communicate()
    assert backup.returncode == 0, said
    assert ("Trying again" in said) == bool(down_s)  # a connection that is found dead is replaced without a word
    [version] = installation.versions()
    assert version["state"] == "valid"
    assert restores_identically(installation, version["uid"])


def test_a_backup_whose_server_stays_away_ends_in_order_and_is_continued_later(installation):
    config = installation.folder / "backy2.cfg"
    config.write_text(config.read_text().replace("[backy2]", "[backy2]\nretry_limit = 2"))
    backup = installation.start("backup", f"file://{installation.image}", "vm")
    wait_until_it_writes(installation, backup)
    installation.server.kill()
    _, said = backup.communicate(timeout=60)
    assert backup.returncode == 15, said
    assert "Traceback" not in said
    installation.server.start()
    [version] = installation.versions()
    assert version["state"] == "incomplete"
    while True:  # until the lease of the failed backup has run out
        again = installation.start("backup", "-c", version["uid"], f"file://{installation.image}", "vm")
        _, said = again.communicate(timeout=60)
        if again.returncode == 0:
            break
        assert "is being written by another job" in said
    assert restores_identically(installation, version["uid"])


def test_a_server_that_is_down_when_a_command_begins_is_not_waited_for(installation):
    installation.server.kill()
    listing = installation.start("ls")
    _, said = listing.communicate(timeout=30)
    assert listing.returncode == 15
    assert "check that the server runs" in said
    assert "Trying again" not in said


def wait_until_it_writes(installation: Installation, backup: subprocess.Popen[str]) -> None:
    """Return when some tens of blobs are stored, and many are still to come."""
    data = installation.folder / "data"
    while sum(len(files) for _, _, files in os.walk(data)) < 200:
        assert backup.poll() is None, backup.stderr.read() if backup.stderr else ""
        threading.Event().wait(0.02)
