"""Taking over installations that real releases of the original left, by the command that an administrator types."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
from contextlib import closing

import pytest

from backy2_core.cli.main import main
from backy2_core.model.job import JobState
from tests.support.original import RELEASES, unpack

DAMAGE, EXCHANGE, REFUSED = 20, 23, 17
PLAIN = "213-plain-bs65536"


class Site:
    """An installation of the original, and our command in its folder with its own configuration."""

    def __init__(self, original):
        self.original = original
        self.folder = original.folder
        self._restores = 0

    def call(self, *argv):
        """Run our command; exit code, output, messages."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["-c", "backy.cfg", *argv])
        return code, out.getvalue(), err.getvalue()

    def ok(self, *argv):
        """Run what must succeed; its output."""
        code, out, err = self.call(*argv)
        assert code == 0, err
        return out

    def rows(self, *argv):
        """The rows of a list, whatever its exit code."""
        _, out, err = self.call(*argv, "--format", "json")
        return json.loads(out) if out else err

    def outcomes(self, *argv):
        """What became of each version."""
        return {row["uid"]: row["outcome"] for row in self.rows("adopt", *argv)}

    def restore(self, uid):
        """Exit code and content of a restored version."""
        self._restores += 1
        target = self.folder / f"restored{self._restores}"
        code, _, _ = self.call("restore", uid, f"file://{target}")
        return code, target.read_bytes() if target.exists() else b""

    def restores_to(self, digests):
        """Every version restores to its digest."""
        for uid, digest in digests.items():
            code, content = self.restore(uid)
            assert (code, hashlib.sha256(content).hexdigest()) == (0, digest), uid

    def sql(self, statement, *values):
        """Change the original's database as the original would."""
        with closing(sqlite3.connect(self.original.database)) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture
def site_of(tmp_path, monkeypatch):
    """Makes the site of a release; the working folder is its."""

    def make(release):
        original = unpack(release, tmp_path / release)
        monkeypatch.chdir(original.folder)
        return Site(original)

    return make


@pytest.fixture(params=RELEASES)
def site(site_of, request):
    return site_of(request.param)


@pytest.fixture
def plain(site_of):
    return site_of(PLAIN)


def test_every_version_comes_over_and_what_was_good_restores_identically(site):
    before = site.original.rows()
    code, _, _ = site.call("adopt")
    assert code == (DAMAGE if site.original.bad else 0)
    site.restores_to(site.original.good)
    for uid in site.original.bad:
        assert site.restore(uid)[0] == DAMAGE
    states = {row["uid"]: row["state"] for row in site.rows("ls")}
    assert states == dict.fromkeys(site.original.good, "valid") | dict.fromkeys(site.original.bad, "damaged")
    assert site.original.rows() == before


def test_a_second_run_adds_nothing_and_all_is_well(site):
    site.call("adopt")
    listed, statistics = site.rows("ls"), site.rows("stats")
    assert site.call("adopt")[0] == 0
    assert set(site.outcomes().values()) == {"here already"}
    assert (site.rows("ls"), site.rows("stats")) == (listed, statistics)


def contents(folder):
    """Every file below the folder with what is in it, but for the log."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    return {str(path): path.read_bytes() for path in files}


def test_a_dry_run_tells_and_changes_nothing(site):
    before = contents(site.folder)
    foreseen = site.outcomes("--dry-run")
    assert contents(site.folder) == before
    assert site.outcomes() == foreseen | dict.fromkeys(site.original.bad, "damaged")
    assert set(site.outcomes("--dry-run").values()) == {"here already"}


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_a_store_without_its_blobs_is_refused_before_anything_is_changed(plain, dry_run):
    store = plain.folder / "data"
    store.rename(plain.folder / "unmounted")
    store.mkdir()
    before = contents(plain.folder)
    code, _, err = plain.call("adopt", *dry_run)
    assert code == REFUSED
    assert "mounted" in err
    assert contents(plain.folder) == before
    store.rmdir()
    (plain.folder / "unmounted").rename(store)
    plain.call("adopt")
    plain.restores_to(plain.original.good)


def test_tags_protection_expiry_and_statistics_come_over(site):
    rows = site.original.rows()
    site.call("adopt")
    tags = {}
    for uid, tag in rows.get("tags", []):
        tags.setdefault(uid, set()).add(tag)
    with closing(sqlite3.connect(site.original.database)) as connection:
        connection.row_factory = sqlite3.Row
        told = {row["uid"]: dict(row) for row in connection.execute("SELECT * FROM versions")}
    for version in site.rows("ls"):
        original = told[version["uid"]]
        assert version["protected"] == bool(original["protected"])
        assert set(version["tags"]) == tags.get(version["uid"], set())
        assert (version["expire"] or "").replace("T", " ").rstrip("Z") == (original.get("expire") or "").partition(".")[
            0
        ]
        assert version["date"].replace("T", " ").rstrip("Z") == original["date"].partition(".")[0]
        assert version["snapshot_name"] == (original.get("snapshot_name") or "")
    assert len(site.rows("stats")) == len(rows["stats"])


def test_all_blobs_of_good_versions_are_found_in_the_store(site):
    site.call("adopt")
    with closing(sqlite3.connect(site.original.database)) as connection:
        states = dict(connection.execute("SELECT uid, state FROM backy2_blobs"))
    assert set(states.values()) <= {1, 3}
    assert set(states) - site.original.blobs() == {uid for uid in states if uid not in site.original.blobs()}
    assert all(states[uid] == 3 for uid in set(states) - site.original.blobs())


@pytest.mark.parametrize("hash_name", ["sha512", "blake3"])
def test_an_incremental_builds_upon_an_adopted_version(site_of, hash_name):
    site = site_of(PLAIN)
    site.call("adopt")
    config = site.folder / "backy.cfg"
    config.write_text(config.read_text().replace("hash_function: sha512", f"hash_function: {hash_name}"))
    base = site.original.uids["a1"]
    _, content = site.restore(base)
    changed = bytearray(content)
    changed[200_000:200_010] = b"0123456789"
    (site.folder / "image").write_bytes(changed)
    (site.folder / "hints").write_text(json.dumps([{"offset": 200_000, "length": 10, "exists": "true"}]))
    uid = site.ok("-m", "backup", "-r", "hints", "-f", base, f"file://{site.folder / 'image'}", "vm-a").strip()
    assert site.restore(uid) == (0, bytes(changed))
    statistics = next(row for row in site.rows("stats", "-f", "json") if row["uid"] == uid)
    assert (statistics["blocks read"], statistics["blocks written"]) == (1, 1)
    assert site.call("scrub", uid)[0] == 0


def test_an_adopted_block_is_not_stored_again(plain):
    plain.call("adopt")
    _, content = plain.restore(plain.original.uids["a2"])
    (plain.folder / "image").write_bytes(content)
    uid = plain.ok("-m", "backup", f"file://{plain.folder / 'image'}", "vm-a").strip()
    statistics = next(row for row in plain.rows("stats") if row["uid"] == uid)
    assert statistics["blocks written"] == 0


def test_side_by_side_nothing_that_the_original_had_goes(plain):
    before, blobs = plain.original.rows(), plain.original.blobs()
    plain.call("adopt")
    (plain.folder / "image").write_bytes(bytes(range(256)) * 4096)
    ours = plain.ok("-m", "backup", f"file://{plain.folder / 'image'}", "new").strip()
    for uid in [*plain.original.uids.values(), ours]:
        plain.call("unprotect", uid)
        plain.ok("rm", "-f", uid)
    plain.ok("cleanup", "-f")
    plain.ok("cleanup", "-f")
    assert plain.rows("ls") == []
    assert plain.original.blobs() == blobs
    assert plain.original.rows() == before


def test_what_was_given_up_here_does_not_come_again(plain):
    plain.call("adopt")
    gone = plain.original.uids["a3"]
    plain.ok("rm", "-f", gone)
    assert plain.outcomes()[gone] == "given up here"
    plain.ok("cleanup")
    assert plain.outcomes()[gone] == "given up here"
    assert gone not in {row["uid"] for row in plain.rows("ls")}


def test_what_the_original_makes_meanwhile_comes_over_by_another_run_and_is_asked_for_at_the_end(plain):
    old, new = plain.original.uids["a1"], "33333333-e7d5-11f1-acf3-02fc00000001"
    plain.call("adopt")
    plain.sql(
        "INSERT INTO versions (uid, date, name, snapshot_name, size, size_bytes, valid, protected)"
        " SELECT ?, date, 'newer', '', size, size_bytes, 1, 0 FROM versions WHERE uid = ?",
        new,
        old,
    )
    plain.sql(
        "INSERT INTO blocks (uid, version_uid, id, date, checksum, size, valid, enc_version)"
        " SELECT uid, ?, id, date, checksum, size, valid, enc_version FROM blocks WHERE version_uid = ?",
        new,
        old,
    )
    code, _, err = plain.call("adopt", "--finish")
    assert code == REFUSED
    assert new in err
    assert plain.outcomes()[new] == "valid"
    assert plain.restore(new) == plain.restore(old)
    assert plain.call("adopt", "--finish")[0] == 0


def test_a_version_that_was_incomplete_comes_whole_once_the_original_finished_it(plain):
    uid = plain.original.uids["a1"]
    plain.sql("CREATE TABLE kept AS SELECT * FROM blocks WHERE version_uid = ? AND id > 100", uid)
    plain.sql("DELETE FROM blocks WHERE version_uid = ? AND id > 100", uid)
    plain.sql("UPDATE versions SET valid = 0 WHERE uid = ?", uid)
    assert plain.outcomes()[uid] == "damaged"
    assert plain.restore(uid)[0] == DAMAGE
    plain.sql("INSERT INTO blocks SELECT * FROM kept")
    plain.sql("UPDATE versions SET valid = 1 WHERE uid = ?", uid)
    assert plain.outcomes()[uid] == "valid"
    plain.restores_to({uid: plain.original.good[uid]})


def test_a_version_whose_rows_contradict_each_other_does_not_keep_the_take_over_open_for_ever(plain):
    uid = plain.original.uids["a1"]
    plain.sql("CREATE TABLE kept AS SELECT * FROM blocks WHERE version_uid = ? AND id = 3", uid)
    plain.sql("DELETE FROM blocks WHERE version_uid = ? AND id = 3", uid)
    assert plain.outcomes()[uid] == "damaged"
    assert plain.call("adopt", "--finish")[0] == 0
    plain.sql("INSERT INTO blocks SELECT * FROM kept")
    assert plain.call("adopt", "--finish")[0] == REFUSED
    assert plain.outcomes()[uid] == "valid"
    assert plain.call("adopt", "--finish")[0] == 0


def test_a_block_that_the_original_never_had_is_damage_of_the_version_and_not_of_the_database(plain):
    uid = plain.original.uids["a1"]
    plain.sql("DELETE FROM blocks WHERE version_uid = ? AND id = 3", uid)
    plain.outcomes()
    code, out, _ = plain.call("check", "-f", "value", "-c", "what", "-c", "verdict")
    assert code == DAMAGE
    verdicts = dict(line.split() for line in out.splitlines())
    assert (verdicts["versions"], verdicts["segments"]) == ("damage", "ok")


def test_what_comes_after_the_take_over_was_finished_opens_it_again(plain):
    uid = plain.original.uids["a1"]
    plain.sql("CREATE TABLE later AS SELECT * FROM versions WHERE uid = ?", uid)
    plain.sql("DELETE FROM versions WHERE uid = ?", uid)
    plain.call("adopt")
    plain.ok("adopt", "--finish")
    plain.sql("INSERT INTO versions SELECT * FROM later")
    assert plain.outcomes()[uid] == "valid"
    plain.ok("rm", "--force", uid)
    plain.ok("cleanup", "--full")
    assert plain.outcomes()[uid] == "given up here"
    plain.sql("DELETE FROM backy2_versions WHERE uid = ?", uid)
    assert plain.outcomes()[uid] == "valid"
    plain.restores_to({uid: plain.original.good[uid]})


def test_a_version_in_use_is_not_given_up_and_comes_whole_the_next_time(plain):
    uid = plain.original.uids["a1"]
    plain.sql("CREATE TABLE kept AS SELECT * FROM blocks WHERE version_uid = ? AND id > 100", uid)
    plain.sql("DELETE FROM blocks WHERE version_uid = ? AND id > 100", uid)
    plain.sql("UPDATE versions SET valid = 0 WHERE uid = ?", uid)
    plain.rows("adopt")
    plain.sql("INSERT INTO blocks SELECT * FROM kept")
    plain.sql("UPDATE versions SET valid = 1 WHERE uid = ?", uid)
    columns = "id, token, kind, state, host, pid, description, began, renewed, lease_until, progress"
    values = f"9999, 'token', 'restore', {JobState.LIVE.value}, 'host', 1, 'restoring', 0, 0, {2**52}, 0.0"
    plain.sql(f"INSERT INTO backy2_jobs ({columns}) VALUES ({values})")
    plain.sql("INSERT INTO backy2_uses SELECT 9999, id, 0 FROM backy2_versions WHERE uid = ?", uid)
    outcomes = plain.outcomes()
    assert outcomes.pop(uid) == "failed"
    assert set(outcomes.values()) == {"here already"}
    assert next(row["state"] for row in plain.rows("ls") if row["uid"] == uid) == "damaged"
    plain.sql("DELETE FROM backy2_uses WHERE job = 9999")
    plain.sql("DELETE FROM backy2_jobs WHERE id = 9999")
    assert plain.outcomes()[uid] == "valid"
    plain.restores_to({uid: plain.original.good[uid]})


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM blocks WHERE version_uid = ? AND id = 7",
        "UPDATE blocks SET size = 17 WHERE version_uid = ? AND id = 7",
        "UPDATE blocks SET size = -1 WHERE version_uid = ? AND id = 7",
        "UPDATE blocks SET date = 'yesterday' WHERE version_uid = ? AND id = 7",
        "UPDATE blocks SET checksum = 'no hex' WHERE version_uid = ? AND id = 7",
        "UPDATE blocks SET uid = '../../../../etc/passwd' WHERE version_uid = ? AND id = 7",
    ],
)
def test_a_row_that_cannot_be_right_costs_its_block_alone(plain, edit):
    uid = plain.original.uids["a1"]
    plain.sql(edit, uid)
    row = next(row for row in plain.rows("adopt") if row["uid"] == uid)
    assert (row["outcome"], row["lost_blocks"]) == ("damaged", 1)
    code, content = plain.restore(uid)
    assert code == DAMAGE
    assert len(content) == plain.original.manifest["images"]["a1.img"]["size"]
    plain.restores_to({other: digest for other, digest in plain.original.good.items() if other != uid})


@pytest.mark.parametrize("what", ["size_bytes = -5", "size = 7", "date = 'yesterday'"])
def test_a_version_that_cannot_be_read_fails_alone(plain, what):
    edit = f"UPDATE versions SET {what} WHERE uid = ?"
    uid = plain.original.uids["a1"]
    plain.sql(edit, uid)
    code, _, err = plain.call("adopt")
    assert code == EXCHANGE
    assert uid in err
    plain.restores_to({other: digest for other, digest in plain.original.good.items() if other != uid})


def test_blobs_of_the_original_go_once_the_take_over_is_finished(plain):
    plain.call("adopt")
    for uid in plain.original.uids.values():
        plain.call("unprotect", uid)
        plain.ok("rm", "-f", uid)
    plain.ok("cleanup")
    known = {row[0] for row in plain.original.rows()["blocks"]} - {None, ""}
    plain.ok("adopt", "--finish")
    plain.ok("cleanup")
    assert not plain.original.blobs() & known


def test_nothing_is_finished_that_was_never_begun(plain):
    plain.ok("initdb")
    code, _, err = plain.call("adopt", "--finish", "sqlite:///nowhere.sqlite")
    assert code == REFUSED
    assert "nothing to finish" in err


def test_the_original_may_be_in_a_database_of_its_own(plain):
    config = plain.folder / "backy.cfg"
    config.write_text(config.read_text().replace("sqlite:///backy.sqlite", "sqlite:///ours.sqlite"))
    before = plain.original.database.read_bytes()
    plain.call("adopt", "sqlite:///backy.sqlite")
    plain.restores_to(plain.original.good)
    assert plain.original.database.read_bytes() == before


@pytest.mark.parametrize(
    "url", ["sqlite:///nowhere.sqlite", "sqlite:///backy.cfg", "nonsense", "postgresql://x:s3cret@localhost:1/x"]
)
def test_what_is_no_database_of_the_original_is_one_clear_message(plain, url):
    before = contents(plain.folder)
    code, out, err = plain.call("adopt", url)
    assert code in (10, 15, EXCHANGE)
    assert out == ""
    assert err.count("ERROR") == 1
    assert "Traceback" not in err
    assert "s3cret" not in err + (plain.folder / "backy.log").read_text()
    assert contents(plain.folder) == before
