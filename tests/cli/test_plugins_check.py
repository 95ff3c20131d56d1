"""Checking plugins on what is live: the table, the exit code, and that nothing is harmed meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core.testing.live_store import StoreScratch
from backy2_plugins.data_backends.file import FileDataBackend
from tests.cli.conftest import Backy, Ended

BROKEN_MODULE = """
from backy2_core.api import Setting, SettingType, hookimpl
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore

backy2_api_version = 1
STORE = MemoryStore()


class Cuts(MemoryDataBackend):
    def put(self, uid, data):
        super().put(uid, data[:100])


@hookimpl
def backy2_open_data_backend():
    return Cuts(STORE)
"""


def rows(ended: Ended) -> dict[str, dict[str, object]]:
    assert ended.out, ended.err
    return {row["promise"]: row for row in json.loads(ended.out)}


def verdicts(backy: Backy, *argv: str) -> set[object]:
    ended = backy.call("plugins", "check", *argv, "-f", "json")
    assert ended.code == 0, ended.err + ended.out
    return {row["verdict"] for row in rows(ended).values()}


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_configured_store_keeps_its_promises_and_stays_as_it_was(backy: Backy) -> None:
    backy.backup()
    before = files_below(backy.store)
    assert verdicts(backy, "data_backend") == {"kept"}
    assert verdicts(backy, "data_backends:file") == {"kept"}
    assert files_below(backy.store) == before
    backy.ok("scrub", "latest:vm")
    assert {row["verdict"] for row in json.loads(backy.ok("check", "-f", "json"))} == {"ok"}


def test_the_configured_database_keeps_its_promises_and_shows_nothing_of_it(backy: Backy) -> None:
    backy.backup()
    before = backy.ok("ls", "-f", "json"), backy.ok("stats", "-f", "json")
    assert verdicts(backy, "meta_backend") == {"kept"}
    assert (backy.ok("ls", "-f", "json"), backy.ok("stats", "-f", "json")) == before
    backy.ok("cleanup", "--full")
    backy.ok("check")


def test_a_check_before_the_first_backup_sets_up_what_a_backup_would(backy: Backy) -> None:
    assert verdicts(backy, "data_backend") == {"kept", "skipped"}
    backy.backup()


def test_a_device_is_read_and_a_target_is_made_and_left(backy: Backy) -> None:
    assert verdicts(backy, "sources:file", "--url", backy.image) == {"kept"}
    target = backy.folder / "target"
    assert verdicts(backy, "sources", "file", "--target", "--url", f"file://{target}") == {"kept", "skipped"}
    before = target.read_bytes()
    ended = backy.call("plugins", "check", "sources:file", "--target", "--url", f"file://{target}")
    assert (ended.code, "is there already" in ended.err) == (17, True)
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", ["zstd", "json", "table", "csv", "machine", "yaml", "value"])
def test_ours_keep_their_promises_in_memory(backy: Backy, name: str) -> None:
    assert "broken" not in verdicts(backy, name)


def test_a_transform_with_a_key_is_checked_with_that_of_the_store_and_makes_none(backy: Backy) -> None:
    backy.backup()
    before = files_below(backy.store)
    assert verdicts(backy, "aes_gcm") == {"kept"}
    assert files_below(backy.store) == before
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text(
        f"[backy2]\ntransforms = zstd, aes_gcm\n[key:main]\nsecret = {'ab' * 32}\n[data_backend]\npath = {backy.store}2\n"
    )
    config.chmod(0o600)
    assert verdicts(backy, "aes_gcm") == {"kept"}
    assert not any("key" in path.name for path in files_below(Path(f"{backy.store}2")))
    backy.backup()
    assert verdicts(backy, "aes_gcm") == {"kept"}
    ended = backy.call("plugins", "check", "backy2_v1")
    assert (ended.code, "it seals nothing" in ended.err) == (10, True)


def test_a_store_that_gives_nothing_back_is_refused(backy: Backy) -> None:
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[data_backend]\ntype = null\n")
    ended = backy.call("plugins", "check", "data_backend")
    assert (ended.code, "readable=False" in ended.err) == (17, True)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["sources:file"], "say --url file://..."),
        (["sources:file", "--url", "null://1g"], "opened by the source null, not by file"),
        (["data_backends:null"], "is not what [data_backend] of embedded defaults selects, but file"),
        (["data_backend", "--url", "file:///x"], "--url and --target are for sources"),
        (["zstd", "--events"], "--events is for listeners"),
        (["commands:ls"], "a command has neither"),
    ],
)
def test_what_cannot_be_meant_is_said(backy: Backy, argv: list[str], reason: str) -> None:
    ended = backy.call("plugins", "check", *argv)
    assert ended.code == 2
    assert reason in ended.err


def test_a_broken_plugin_ends_with_its_exit_code_and_the_table_all_the_same(
    backy: Backy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "cuts-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cuts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[backy2.data_backends]\ncuts = cuts_module\n")
    (site / "cuts_module.py").write_text(BROKEN_MODULE)
    monkeypatch.syspath_prepend(site)
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[data_backend]\ntype = cuts\n")
    ended = backy.call("plugins", "check", "cuts", "-f", "json")
    assert ended.code == 11
    row = rows(ended)["blobs of 0 bytes to 4 MiB are kept whole"]
    assert row["verdict"] == "broken"
    assert "of a blob of 511 bytes, 100 bytes were read" in str(row["reason"])
    assert isinstance(row["ms"], float)
    assert "data_backends:cuts breaks" in ended.err
    assert "blobs of 0 bytes to 4 MiB are kept whole" in ended.err
    del sys.modules["cuts_module"]


def test_no_test_tool_is_needed(backy: Backy) -> None:
    probe = (
        "import sys; sys.modules['pytest'] = None; sys.modules['_pytest'] = None\n"
        "from backy2_core.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    for name in ("data_backend", "meta_backend", "zstd", "json"):
        command = [sys.executable, "-W", "error", "-c", probe, "plugins", "check", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_full_cleanup_and_a_check_beside_it_leave_its_blobs_alone_and_find_no_damage(backy: Backy) -> None:
    backy.backup()
    with StoreScratch(lambda: FileDataBackend(str(backy.store))) as scratch:
        uids = [scratch.put() for _ in range(3)]
        scratch.store.flush()
        backy.ok("cleanup", "--full")
        found = json.loads(backy.ok("check", "-f", "json"))
        assert {row["verdict"] for row in found} <= {"ok", "note"}
        assert [len(scratch.read(uid)) for uid in uids] == [1000] * 3
    assert {row["verdict"] for row in json.loads(backy.ok("check", "-f", "json"))} == {"ok"}


def test_a_backup_runs_beside_it(slow: Backy) -> None:
    with slow.spawn("backup", slow.image, "vm") as backup:
        assert verdicts(slow, "meta_backend") == {"kept"}
        assert "broken" not in verdicts(slow, "data_backend")
        slow.patch.setenv("SPEED", "0")
        backup.kill()
        backup.communicate()
    slow.patch.setenv("SPEED", "0")
    slow.backup()
    slow.ok("scrub", "latest:vm")
