"""Opening a store: where keys come from, what opens it, what is said where none does, and lost copies."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.keys.conftest import CHAIN, MAIN, OTHER, THIRD, KeySite, write_key
from tests.keys.forks import Forks


def forget_note(site: KeySite) -> None:
    with closing(sqlite3.connect(site.database)) as opened, opened:
        opened.execute("DELETE FROM backy2_notes")


def test_the_first_opening_makes_a_store_key_and_says_what_must_be_kept(site: KeySite) -> None:
    ended = site.call("backup", f"file://{site.image}", "vm")
    assert ended.code == 0
    document = json.loads(site.document.read_bytes())
    [warning] = [line for line in ended.err.splitlines() if line.startswith("WARNING")]
    assert document["key_id"] in warning
    assert "main (fingerprint" in warning
    assert site.note == site.document.read_bytes()
    before = site.document.read_bytes()
    assert "store key" not in site.call("backup", f"file://{site.image}", "vm").err
    assert site.document.read_bytes() == before


def test_without_a_key_in_the_configuration_a_store_has_none(site: KeySite) -> None:
    site.configure(core="")
    assert site.holds(site.backup())
    assert not site.document.exists()
    assert site.note is None


@pytest.mark.parametrize("source", ["clear", "capitals", "base64", "environment", "file", "command", "variable"])
def test_a_key_comes_from_wherever_secrets_come_from(
    site: KeySite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    uid = site.backup()
    path = write_key(tmp_path / "a key", f"{MAIN}\n")
    monkeypatch.setenv("KEY_OF_A_TEST", MAIN)
    variables = f"[DEFAULT]\nmine = %(file:{path})s\n" if source == "variable" else ""
    written = {
        "clear": MAIN,
        "capitals": MAIN.upper(),
        "base64": base64.b64encode(bytes.fromhex(MAIN)).decode(),
        "environment": "%(env:KEY_OF_A_TEST)s",
        "file": f"%(file:{path})s",
        "command": f"%(command:cat '{path}')s",
        "variable": "%(mine)s",
    }[source]
    site.configure(core=variables + CHAIN, other=written)
    assert site.holds(uid)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_key_file_that_others_may_read_or_change_is_refused_with_what_to_type(
    site: KeySite, tmp_path: Path, mode: int
) -> None:
    uid = site.backup()
    path = write_key(tmp_path / "a key", MAIN, mode)
    site.configure(main=f"%(file:{path})s")
    before = site.state()
    ended = site.call("scrub", uid)
    assert ended.code == 21
    assert f"chmod 600 '{path}'" in ended.err
    assert MAIN not in ended.err
    assert site.state() == before
    path.chmod(0o400)
    assert site.call("scrub", uid).code == 0


@pytest.mark.parametrize(
    "text", ["", "abc", "z" * 64, MAIN[:-1], MAIN + "0", "YWJj", "a passphrase of 32 letters, no key"]
)
def test_what_is_no_key_is_refused_by_name_and_never_shown(site: KeySite, tmp_path: Path, text: str) -> None:
    site.configure(main=f"%(file:{write_key(tmp_path / 'a key', text)})s")
    ended = site.call("--debug", "backup", f"file://{site.image}", "vm")
    assert ended.code == 10
    assert "[key:main], key secret: a key is 64 hexadecimal digits" in ended.err
    assert not text or text not in ended.err
    assert not site.document.exists()


def test_a_wrong_key_is_told_with_ids_before_anything_is_done(site: KeySite, tmp_path: Path) -> None:
    uid = site.backup()
    site.configure(wrong=OTHER, spare=THIRD)
    before = site.state()
    target = tmp_path / "target"
    key_id = json.loads(site.document.read_bytes())["key_id"]
    for argv in (
        ["restore", uid, f"file://{target}"],
        ["scrub", uid],
        ["backup", f"file://{site.image}", "vm"],
        ["cleanup", "--full"],
        ["rm", uid],
        ["check"],
        ["key", "add", "spare"],
        ["key", "remove", "main"],
        ["key", "check"],
    ):
        ended = site.call(*argv)
        assert ended.code == 21, (argv, ended.err)
        last = ended.err.splitlines()[-1]
        for word in (key_id, "main (fingerprint", "wrong (fingerprint", "spare (fingerprint"):
            assert word in last, argv
        assert len(ended.err.splitlines()) <= 3
    assert not target.exists()
    assert site.state() == before
    site.configure(main=MAIN)
    assert site.holds(uid)


def test_without_any_key_the_ids_that_would_open_are_named(site: KeySite) -> None:
    uid = site.backup()
    site.configure()
    ended = site.call("scrub", uid)
    assert ended.code == 21
    assert "no key is configured" in ended.err
    assert "main (fingerprint" in ended.err
    assert uid in site.ok("ls")


def test_a_key_that_cannot_be_read_is_passed_over_where_another_opens(
    site: KeySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = site.backup()
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    site.configure(main="%(env:NO_SUCH_KEY)s", spare=MAIN)
    ended = site.call("scrub", uid)
    assert ended.code == 0
    assert "NO_SUCH_KEY is not set" in ended.err
    site.configure(main="%(env:NO_SUCH_KEY)s")
    ended = site.call("scrub", uid)
    assert ended.code == 21
    assert "NO_SUCH_KEY is not set" in ended.err


def test_no_key_is_read_once_one_opened_the_store(site: KeySite, tmp_path: Path) -> None:
    uid = site.backup()
    trace = tmp_path / "trace"
    site.configure(costly=f"%(command:touch '{trace}'; echo {OTHER})s", main=MAIN)
    assert site.holds(uid)
    assert not trace.exists()


def test_each_of_several_keys_opens_alone(site: KeySite) -> None:
    site.configure(main=MAIN, other=OTHER, third=THIRD)
    uid = site.backup()
    assert site.slots == ["main", "other", "third"]
    for key in (MAIN, OTHER, THIRD):
        site.configure(whatever=key)
        assert site.holds(uid)


def test_a_lost_document_is_written_again_from_the_database(site: KeySite) -> None:
    uid = site.backup()
    before = site.document.read_bytes()
    for harm in (b"", b"{", b"\xff\xfe", b"[]", b'{"format": 1}', None):
        if harm is None:
            site.document.unlink()
        else:
            site.document.write_bytes(harm)
        ended = site.call("scrub", uid)
        assert ended.code == 0, ended.err
        assert "written again from the copy in the database" in ended.err
        assert site.document.read_bytes() == before


def test_a_wrong_key_does_not_mend_a_lost_document(site: KeySite) -> None:
    uid = site.backup()
    site.document.unlink()
    site.configure(wrong=OTHER)
    assert site.call("scrub", uid).code == 21
    assert not site.document.exists()


def test_a_lost_copy_in_the_database_is_written_again_from_the_store(site: KeySite) -> None:
    uid = site.backup()
    forget_note(site)
    assert site.call("scrub", uid).err.count("WARNING") == 0
    assert site.note == site.document.read_bytes()


def test_an_old_copy_in_the_database_gives_way_to_the_stores(site: KeySite) -> None:
    uid = site.backup()
    with closing(sqlite3.connect(site.database)) as opened:
        old = opened.execute("SELECT * FROM backy2_notes").fetchall()
    site.configure(main=MAIN, other=OTHER)
    site.ok("key", "add", "other")
    forget_note(site)
    with closing(sqlite3.connect(site.database)) as opened, opened:
        opened.executemany("INSERT INTO backy2_notes VALUES (?, ?, ?)", old)
    assert site.holds(uid)
    assert site.note == site.document.read_bytes()
    assert site.slots == ["main", "other"]


def test_where_both_copies_are_lost_no_new_store_key_hides_it(site: KeySite) -> None:
    uid = site.backup()
    kept = site.document.read_bytes()
    site.document.unlink()
    forget_note(site)
    ended = site.call("backup", f"file://{site.image}", "vm")
    assert ended.code == 21
    assert "keys.json is gone" in ended.err
    assert not site.document.exists()
    site.document.write_bytes(kept)
    assert site.holds(uid)


def test_the_document_of_another_store_is_refused(site: KeySite, tmp_path: Path) -> None:
    uid = site.backup()
    kept = site.document.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    other = KeySite(tmp_path / "elsewhere")
    other.configure(main=MAIN)
    other.ok("initdb")
    other.backup()
    site.document.write_bytes(other.document.read_bytes())
    before = site.state()
    ended = site.call("scrub", uid)
    assert ended.code == 21
    for document in (kept, other.document.read_bytes()):
        assert json.loads(document)["key_id"] in ended.err
    assert site.state() == before


def test_a_document_put_together_from_two_is_refused(site: KeySite) -> None:
    uid = site.backup()
    document = json.loads(site.document.read_bytes())
    document["key_id"] = "0123456789abcdef"
    site.document.write_text(json.dumps(document))
    forget_note(site)
    ended = site.call("scrub", uid)
    assert ended.code == 21
    assert "put together from two" in ended.err


def test_the_document_of_a_later_release_is_left_as_it_is(site: KeySite) -> None:
    uid = site.backup()
    text = json.dumps(json.loads(site.document.read_bytes()) | {"format": 2, "new": 1})
    site.document.write_text(text)
    ended = site.call("scrub", uid)
    assert ended.code == 21
    assert "Use a newer backy2" in ended.err
    assert site.document.read_text() == text


def test_processes_that_open_a_new_store_at_once_end_with_one_store_key(site: KeySite, forks: Forks) -> None:
    site.configure(main=MAIN, other=OTHER)
    site.ok("ls")
    pids = [
        forks.start("-c", str(site.config), "-m", "backup", f"file://{site.image}", f"vm{number}", folder=site.folder)
        for number in range(4)
    ]
    assert [forks.wait(pid) for pid in pids] == [0, 0, 0, 0]
    uids = [row["uid"] for row in site.rows("ls")]
    assert len(uids) == 4
    for uid in uids:
        assert site.holds(uid)
    assert site.rows("key", "check")
    assert site.note == site.document.read_bytes()


def test_the_originals_key_opens_too_and_is_kept_for_what_the_original_encrypted(site: KeySite) -> None:
    site.configure(core=f"[DEFAULTS]\nencryption_key: {MAIN}\nblock_size: 65536\n")
    uid = site.backup()
    assert site.slots == ["encryption_key"]
    assert [key["kind"] for key in json.loads(site.document.read_bytes())["former"]] == ["backy2_v1"]
    site.configure(main=MAIN)
    assert site.holds(uid)


def test_the_originals_key_with_version_0_makes_no_store_key(site: KeySite) -> None:
    site.configure(core=f"[DEFAULTS]\nencryption_key: {MAIN}\nencryption_version: 0\n")
    assert site.holds(site.backup())
    assert not site.document.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[key:]\nsecret = x\n", "is not known"),
        ("[key:a b]\nsecret = x\n", "is no name of a key"),
        ("[key:.x]\nsecret = x\n", "is no name of a key"),
        ("[key:x]\n", "key secret is missing"),
        ("[key:x]\nsecrets = x\n", "Did you mean secret?"),
        ("[key:x]\nsecret = x\n[keys:y]\nsecret = x\n", "Did you mean"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(site: KeySite, text: str, complaint: str) -> None:
    site.configure(text)
    ended = site.call("ls")
    assert ended.code == 10
    assert complaint in ended.err


def test_a_store_that_keeps_nothing_needs_no_document(site: KeySite) -> None:
    site.config.write_text(
        f"{CHAIN}[data_backend]\ntype = null\n[meta_backend]\nengine = sqlite:///{site.database}\n[key:main]\nsecret = {MAIN}\n"
    )
    site.backup()
    assert site.note is None
