"""The verbs ``key new``, ``key list``, ``key add``, ``key remove`` and ``key check``."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from backy2_core.model.secret import key_fingerprint
from tests.keys.conftest import CHAIN, MAIN, OTHER, THIRD, KeySite
from tests.keys.forks import Forks

# -- key new


def test_a_new_key_is_random_and_its_owners_alone(site: KeySite, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        for name in ("one.key", "two.key"):
            site.ok("key", "new", str(tmp_path / name))
    finally:
        os.umask(old)
    texts = [(tmp_path / name).read_text() for name in ("one.key", "two.key")]
    assert len({*texts}) == 2
    for name, text in zip(("one.key", "two.key"), texts, strict=True):
        assert len(bytes.fromhex(text)) == 32
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_section_that_is_printed_makes_the_store_open_with_the_new_key(site: KeySite, tmp_path: Path) -> None:
    section = site.ok("key", "new", "--id", "usb", "-f", "value", "-c", "section", str(tmp_path / "a 100% key"))
    site.configure(section)
    uid = site.backup()
    assert site.slots == ["usb"]
    assert site.holds(uid)


def test_what_is_printed_of_a_new_key_is_not_the_key(site: KeySite, tmp_path: Path) -> None:
    path = tmp_path / "main.key"
    ended = site.call("key", "new", str(path), "-f", "json")
    record = json.loads(ended.out)
    assert record["id"] == "main"
    assert record["fingerprint"] == key_fingerprint(bytes.fromhex(path.read_text()))
    assert path.read_text().strip() not in ended.out + ended.err


def test_a_file_that_is_there_is_not_written_over(site: KeySite, tmp_path: Path) -> None:
    path = tmp_path / "main.key"
    path.write_text("the only copy")
    (tmp_path / "link.key").symlink_to(tmp_path / "elsewhere")
    for name in ("main.key", "link.key"):
        assert site.call("key", "new", str(tmp_path / name)).code == 17
    assert path.read_text() == "the only copy"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("argv", [["no/such/folder/x.key"], ["--id", "a b", "x.key"], ["--id", "", "x.key"], ["-.key"]])
def test_what_cannot_be_a_key_is_refused_and_nothing_is_made(site: KeySite, tmp_path: Path, argv: list[str]) -> None:
    *options, name = argv
    before = sorted(tmp_path.iterdir())
    assert site.call("key", "new", *options, str(tmp_path / name)).code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_a_new_key_needs_no_configuration(tmp_path: Path) -> None:
    site = KeySite(tmp_path)
    site.config.write_text("[nonsense]\n")
    assert site.call("key", "new", str(tmp_path / "main.key")).code == 0


# -- key list


def test_the_list_shows_slots_and_what_is_configured(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.backup()
    site.configure(main=MAIN, other=THIRD, spare=THIRD)
    rows = site.rows("key", "list")
    shown = {row["id"]: (row["configured"], row["opens"], bool(row["made"])) for row in rows}
    assert shown == {"main": (True, True, True), "other": (True, False, True), "spare": (True, False, False)}
    prints = {row["id"]: row["fingerprint"] for row in rows}
    assert prints["main"] == key_fingerprint(bytes.fromhex(MAIN))
    assert prints["other"] == key_fingerprint(bytes.fromhex(OTHER))
    assert prints["spare"] == key_fingerprint(bytes.fromhex(THIRD))


def test_the_list_needs_no_key_and_changes_nothing(site: KeySite) -> None:
    assert [row["made"] for row in site.rows("key", "list")] == [None]
    assert not site.document.exists()
    site.backup()
    site.configure(main="%(env:NO_SUCH_KEY)s")
    before = site.state()
    [row] = site.rows("key", "list")
    assert (row["id"], row["configured"], row["opens"]) == ("main", True, False)
    assert site.state() == before


def test_the_list_for_programs(site: KeySite) -> None:
    site.backup()
    head, row = site.ok("-m", "key", "list").splitlines()
    assert head == "type|id|fingerprint|made|configured|opens"
    assert row.startswith(f"key|main|{key_fingerprint(bytes.fromhex(MAIN))}|20")


# -- key add, key remove


def test_an_added_key_opens_the_store_alone_and_a_removed_one_no_longer(site: KeySite) -> None:
    uid = site.backup()
    site.configure(main=MAIN, other=OTHER)
    site.ok("key", "add", "other")
    assert site.slots == ["main", "other"]
    site.ok("key", "remove", "main")
    assert site.slots == ["other"]
    assert site.note == site.document.read_bytes()
    site.configure(any_name=OTHER)
    assert site.holds(uid)
    site.configure(main=MAIN)
    assert site.call("scrub", uid).code == 21


def test_changes_of_keys_leave_blobs_and_copies_as_they_are(site: KeySite) -> None:
    site.backup()
    files = {path: path.read_bytes() for path in site.store.rglob("*") if path.is_file() and path != site.document}
    site.configure(main=MAIN, other=OTHER)
    site.ok("key", "add", "other")
    site.ok("key", "remove", "main")
    assert {
        path: path.read_bytes() for path in site.store.rglob("*") if path.is_file() and path != site.document
    } == files


def test_adding_a_key_twice_changes_nothing(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.backup()
    before = site.document.read_bytes()
    assert "opens the store already" in site.call("key", "add", "other").err
    assert site.document.read_bytes() == before


def test_an_id_is_not_given_to_a_second_key(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.backup()
    before = site.document.read_bytes()
    site.configure(main=MAIN, other=THIRD)
    assert site.call("key", "add", "other").code == 17
    assert site.document.read_bytes() == before


def test_a_key_that_is_not_configured_cannot_be_added(site: KeySite) -> None:
    site.backup()
    ended = site.call("key", "add", "other")
    assert ended.code == 10
    assert "[key:other]" in ended.err
    assert "main" in ended.err


def test_the_last_key_cannot_be_removed_even_by_force(site: KeySite) -> None:
    site.backup()
    for force in ([], ["--force"]):
        ended = site.call("key", "remove", *force, "main")
        assert ended.code == 17
        assert "the only key" in ended.err
    assert site.slots == ["main"]


def test_the_only_key_that_is_configured_here_is_removed_by_force_alone(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER)
    uid = site.backup()
    site.configure(main=MAIN)
    assert site.call("key", "remove", "main").code == 17
    assert site.slots == ["main", "other"]
    site.ok("key", "remove", "--force", "main")
    assert site.slots == ["other"]
    assert site.call("scrub", uid).code == 21
    site.configure(other=OTHER)
    assert site.holds(uid)


def test_a_key_that_is_not_there_cannot_be_removed(site: KeySite) -> None:
    site.backup()
    ended = site.call("key", "remove", "other")
    assert ended.code == 16
    assert "main (fingerprint" in ended.err


@pytest.mark.parametrize("argv", [["key", "remove", "main"], ["rekey", "-"]])
def test_a_store_without_keys_has_none_to_change(site: KeySite, argv: list[str]) -> None:
    site.configure(core="")
    site.backup()
    ended = site.call(*argv, stdin=OTHER)
    assert ended.code == 21
    assert "has no keys" in ended.err
    assert not site.document.exists()


def test_hosts_that_add_keys_at_once_lose_none(site: KeySite, forks: Forks) -> None:
    uid = site.backup()
    keys = {f"k{number}": f"{number + 10}" * 32 for number in range(5)}
    site.configure(main=MAIN, **keys)
    pids = [forks.start("-c", str(site.config), "key", "add", name, folder=site.folder) for name in keys]
    assert [forks.wait(pid) for pid in pids] == [0] * len(keys)
    assert sorted(site.slots) == ["k0", "k1", "k2", "k3", "k4", "main"]
    assert site.note == site.document.read_bytes()
    for key in keys.values():
        site.configure(it=key)
        assert site.holds(uid)


def test_hosts_that_remove_the_last_two_keys_at_once_leave_one(site: KeySite, forks: Forks) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.backup()
    pids = [
        forks.start("-c", str(site.config), "key", "remove", "--force", name, folder=site.folder)
        for name in ("main", "other")
    ]
    # The one that is later finds either that it would remove the last one, or that its own key is gone.
    assert sorted(forks.wait(pid) for pid in pids) == [0, 17]
    assert len(site.slots) == 1


def test_keys_are_changed_under_a_running_backup(site: KeySite, forks: Forks) -> None:
    site.configure(main=MAIN, other=OTHER, core=f"{CHAIN}[data_backend]\nbandwidth_write = 150k\n")
    slow = site.config.read_text().replace("[data_backend]\npath", "path", 1)
    site.config.write_text(slow)
    pid = forks.start("-c", str(site.config), "-m", "backup", f"file://{site.image}", "vm", folder=site.folder)
    deadline = time.monotonic() + 30
    while not (site.document.exists() and any(job["kind"] == "backup" for job in site.rows("jobs"))):
        assert time.monotonic() < deadline
    quick = slow.replace("bandwidth_write = 150k\n", "")
    site.config.write_text(quick)
    site.ok("key", "remove", "main")
    site.config.write_text(quick + f"\n[key:third]\nsecret = {THIRD}\n")
    site.ok("key", "add", "third")
    site.ok("key", "remove", "other")
    assert [job["kind"] for job in site.rows("jobs")] == ["backup"]
    assert forks.wait(pid) == 0
    site.configure(third=THIRD)
    [row] = site.rows("ls")
    assert row["valid"] is True
    assert site.holds(row["uid"])


# -- key check


def test_the_check_proves_keys_a_document_and_a_blob(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.backup()
    rows = site.rows("key", "check")
    kinds = [row["what"] for row in rows]
    assert kinds[:3] == ["key", "key", "document"]
    assert set(kinds[3:]) == {"blob"}
    assert all(row["opens"] for row in rows)


def test_the_check_names_a_configured_key_that_opens_nothing(site: KeySite) -> None:
    site.backup()
    site.configure(main=MAIN, wrong=OTHER)
    ended = site.call("key", "check", "-f", "json")
    assert ended.code == 21
    assert {row["id"]: row["opens"] for row in json.loads(ended.out) if row["what"] == "key"} == {
        "main": True,
        "wrong": False,
    }
    assert "wrong" in ended.err


def test_the_check_notices_blobs_and_documents_that_do_not_open(site: KeySite) -> None:
    site.backup()
    for path in [*site.store.rglob("*.blob"), *(site.store / "backy2" / "versions").iterdir()]:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    ended = site.call("key", "check", "-f", "json")
    assert ended.code == 21
    found = {row["what"]: row["opens"] for row in json.loads(ended.out)}
    # A document that starts like a sealed one and does not open is one that was changed.
    assert found == {"key": True, "document": False, "blob": False}


def test_the_check_of_a_store_without_keys_is_empty(site: KeySite) -> None:
    site.configure(core="")
    site.backup()
    assert site.rows("key", "check") == []


def test_the_check_changes_nothing(site: KeySite) -> None:
    site.backup()
    before = site.state()
    site.ok("key", "check")
    assert site.state() == before


# -- waiting for others


def test_a_change_waits_for_one_that_began_before_it(site: KeySite) -> None:
    from backy2_core.assembly import open_installation
    from backy2_core.config.load import load_config
    from backy2_core.engine.key_change import changing_keys

    site.backup()
    site.configure(main=MAIN, other=OTHER)
    done: list[int] = []
    with open_installation(load_config(str(site.config))) as installation:
        with changing_keys(installation.keys.place, "a test"):
            thread = threading.Thread(target=lambda: done.append(_add(site)))
            thread.start()
            thread.join(0.5)
            assert not done
            assert site.slots == ["main"]
        thread.join(30)
    assert done == [0]
    assert site.slots == ["main", "other"]


def _add(site: KeySite) -> int:
    from backy2_core.assembly import open_installation
    from backy2_core.assembly.keys import read_key
    from backy2_core.config.load import load_config
    from backy2_core.engine.key_edits import add_key

    config = load_config(str(site.config))
    with open_installation(config) as installation:
        return 0 if add_key(installation.keys, read_key(config, "other")) else 1
