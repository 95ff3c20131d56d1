"""Reading the original's database: whatever its release and its server, all of it, and without a trace."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backy2_core.contracts.meta_backend import SchemaState
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.errors import ConfigError, ExchangeError, MetaBackendError
from backy2_core.model.original import OriginalBlock, OriginalVersion, Unreadable
from backy2_core.model.secret import Secret
from backy2_core.model.version import Counts, Statistics
from backy2_core.plugins import gate
from backy2_core.plugins.discovery import META_BACKENDS
from backy2_core.plugins.registry import PluginRegistry
from backy2_core.testing.meta_backend_base import begin
from backy2_plugins.meta_backends import sql
from backy2_plugins.meta_backends.sql import original as sql_original
from tests.support.engines import settings_of
from tests.support.original import RELEASES, unpack
from tests.support.original_tables import connected, copy, dump, rows, run

SQLITE = pytest.param("sqlite", id="sqlite")
POSTGRESQL = pytest.param("postgresql", id="postgresql", marks=pytest.mark.xdist_group("postgresql"))
MARIADB = pytest.param("mariadb", id="mariadb", marks=pytest.mark.xdist_group("mariadb"))
ENCRYPTED = "213-enc-bs4096"
OLD = "2917-bs4096"
OLDEST = "295-dump21"
ODD = ["it's", 'a "b"', "one\ntwo", "Größe 大 🐘", "a|b,c", "back\\slash", "%s ? :x", " blanks "]


def open_original(url: str | None, engine: str | None = None, **changed: Any) -> OriginalDatabase:
    """Open a database as the command does: with the settings of the meta backend, and perhaps a URL."""
    return sql.backy2_open_original(settings_of(sql, engine=engine and Secret(engine), **changed), url)


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def database_of(release: str, folder: Path) -> Path:
    """The database that a release left."""
    return unpack(release, folder / release).database


def everything(url: str) -> tuple[list[OriginalVersion], dict[str, list[OriginalBlock]], list[Statistics]]:
    """All that a database says."""
    with open_original(url) as original:
        versions = list(original.versions())
        readable = [each for each in versions if not isinstance(each, Unreadable)]
        blocks = {each.uid: list(original.blocks(each.uid)) for each in readable}
        return versions, blocks, list(original.statistics())


def hash_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def moment(text: str, fractions: bool) -> datetime:
    found = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return found if fractions else found.replace(microsecond=0)


def expected_versions(path: Path, fractions: bool) -> list[OriginalVersion]:
    """What plain queries say of the versions of an SQLite database."""
    has_tags = rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'tags'")
    tags = rows(path, "SELECT * FROM tags") if has_tags else []
    found = [
        OriginalVersion(
            uid=row["uid"],
            date=moment(row["date"], fractions),
            name=row["name"],
            snapshot_name=row.get("snapshot_name", ""),
            size_blocks=row["size"],
            size_bytes=row["size_bytes"],
            valid=row["valid"] == 1,
            protected=row.get("protected") == 1,
            expire=moment(row["expire"], fractions) if row.get("expire") else None,
            tags=frozenset(tag["name"] for tag in tags if tag["version_uid"] == row["uid"]),
        )
        for row in rows(path, "SELECT * FROM versions")
    ]
    return sorted(found, key=lambda version: (version.date, version.uid))


def expected_blocks(path: Path, uid: str, fractions: bool) -> list[OriginalBlock]:
    """What a plain query says of the blocks of a version."""
    return [
        OriginalBlock(
            number=row["id"],
            uid=row["uid"] or "",
            checksum=row["checksum"] or "",
            size=row["size"],
            valid=row["valid"] == 1,
            date=moment(row["date"], fractions),
            enc_version=row.get("enc_version", 0),
            envkey=row.get("enc_envkey") or "",
            nonce=row.get("enc_nonce") or "",
        )
        for row in rows(path, f"SELECT * FROM blocks WHERE version_uid = '{uid}' ORDER BY id")
    ]


def expected_statistics(path: Path) -> list[Statistics]:
    """What a plain query says of the backups."""
    found = [
        Statistics(
            uid=row["version_uid"],
            name=row["version_name"],
            date=moment(row["date"], fractions=True),
            size_bytes=row["version_size_bytes"],
            size_blocks=row["version_size_blocks"],
            counts=Counts(
                bytes_read=row["bytes_read"],
                blocks_read=row["blocks_read"],
                bytes_written=row["bytes_written"],
                blocks_written=row["blocks_written"],
                bytes_dedup=row["bytes_found_dedup"],
                blocks_dedup=row["blocks_found_dedup"],
                bytes_sparse=row["bytes_sparse"],
                blocks_sparse=row["blocks_sparse"],
            ),
            duration_s=float(row["duration_seconds"]),
        )
        for row in rows(path, "SELECT * FROM stats ORDER BY date")
        if row["version_uid"] is not None
    ]
    return sorted(found, key=lambda statistics: (statistics.date, statistics.uid))


@pytest.fixture
def path(tmp_path) -> Path:
    """A database of release 2.13.8, with blocks of every kind."""
    return database_of(ENCRYPTED, tmp_path)


@pytest.fixture
def place(request):
    """Takes the path of an SQLite database; gives the URL of the same on SQLite itself, or copied to a server."""

    def put(path: Path, kind: str) -> str:
        if kind == "sqlite":
            return url_of(path)
        url = request.getfixturevalue(kind).make_database()
        copy(path, url)
        return url

    return put


class TestReleases:
    def test_there_is_a_database_of_each(self):
        assert len(RELEASES) == 7

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    @pytest.mark.parametrize("name", RELEASES)
    def test_all_of_it_is_read_and_nothing_changed(self, name, kind, place, tmp_path):
        path = database_of(name, tmp_path)
        url = place(path, kind)
        before = hash_of(path.parent), dump(url)
        versions, blocks, statistics = everything(url)
        assert (hash_of(path.parent), dump(url)) == before
        fractions = kind != "mariadb"  # whose DATETIME has none
        assert versions == expected_versions(path, fractions)
        assert blocks == {each.uid: expected_blocks(path, each.uid, fractions) for each in versions}
        assert sorted(statistics, key=lambda each: (each.date, each.uid)) == expected_statistics(path)
        assert [each.date for each in statistics] == sorted(each.date for each in statistics)

    @pytest.mark.parametrize("name", RELEASES)
    def test_the_versions_are_those_that_its_release_left(self, name, tmp_path):
        installation = unpack(name, tmp_path / name)
        manifest = installation.manifest
        versions, blocks, _ = everything(url_of(installation.database))
        left = {each["uid"]: each for each in manifest["versions"].values() if each["present"]}
        assert {each.uid: int(each.valid) for each in versions} == {
            uid: each["valid_at_end"] for uid, each in left.items()
        }
        sizes = {uid: manifest["images"][each["image"]]["size"] for uid, each in left.items() if each["image"]}
        assert {uid: sum(block.size for block in blocks[uid]) for uid in sizes} == sizes

    def test_what_only_some_releases_know_is_left_at_its_default(self, tmp_path):
        path = database_of(OLDEST, tmp_path)
        columns = {row["name"] for row in rows(path, "PRAGMA table_info(versions)")}
        run(path, "ALTER TABLE versions DROP COLUMN protected")
        assert not columns & {"snapshot_name", "expire"}
        assert not rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'tags'")
        versions, blocks, _ = everything(url_of(path))
        assert {(each.snapshot_name, each.protected, each.expire, each.tags) for each in versions} == {
            ("", False, None, frozenset())
        }
        encryption = {(each.enc_version, each.envkey, each.nonce) for found in blocks.values() for each in found}
        assert encryption == {(0, "", "")}

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_a_half_upgraded_database_is_read(self, kind, place, tmp_path):
        path = database_of(OLD, tmp_path)
        run(path, "ALTER TABLE versions ADD COLUMN expire DATE")
        run(path, "UPDATE versions SET expire = '2030-01-02' WHERE snapshot_name = 's2'")
        assert rows(path, "SELECT * FROM alembic_version") == [{"version_num": "29c655b78818"}]
        with open_original(place(path, kind)) as original:
            expires = {each.snapshot_name: each.expire for each in original.versions()}
        assert expires["s1"] is None
        assert expires["s2"] == datetime(2030, 1, 2, tzinfo=UTC)

    def test_a_database_without_statistics_or_tags_is_read(self, path):
        run(path, "DROP TABLE tags", "DROP TABLE stats")
        versions, _, statistics = everything(url_of(path))
        assert len(versions) == 4
        assert statistics == []


class TestRows:
    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_a_sparse_block_is_one_whichever_way_it_was_written(self, kind, place, path):
        before = everything(place(path, kind))
        run(
            path,
            "UPDATE blocks SET uid = '' WHERE uid IS NULL AND id % 2",
            "UPDATE blocks SET checksum = '', enc_envkey = '', enc_nonce = '' WHERE uid IS NULL OR id % 3 AND uid = ''",
        )
        kinds = rows(path, "SELECT DISTINCT uid, checksum FROM blocks WHERE uid IS NULL OR uid = ''")
        assert len(kinds) == 3
        assert everything(place(path, kind)) == before

    def test_what_postgresql_made_of_empty_bytes_is_empty(self, path):
        uid = rows(path, "SELECT version_uid FROM blocks WHERE enc_version = 1 LIMIT 1")[0]["version_uid"]
        run(path, "UPDATE blocks SET enc_nonce = '\\x' WHERE id % 2", "UPDATE blocks SET enc_nonce = x'' WHERE id = 0")
        with open_original(url_of(path)) as original:
            nonces = {each.number: each.nonce for each in original.blocks(uid) if each.enc_version}
        assert all(bool(nonce) == (number % 2 == 0 and number > 0) for number, nonce in nonces.items())
        assert set(map(len, nonces.values())) == {0, 32}

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_missing_rows_are_missing(self, kind, place, path):
        first, second, *_ = expected_versions(path, fractions=True)
        run(
            path,
            f"DELETE FROM blocks WHERE version_uid = '{first.uid}'",
            f"DELETE FROM blocks WHERE version_uid = '{second.uid}' AND id IN (0, 7, 255)",
        )
        with open_original(place(path, kind)) as original:
            assert [each.uid for each in original.versions()][:2] == [first.uid, second.uid]
            assert list(original.blocks(first.uid)) == []
            numbers = [each.number for each in original.blocks(second.uid)]
        assert numbers == sorted({*range(256)} - {0, 7, 255})

    def test_a_version_that_is_not_there_has_no_blocks(self, path):
        with open_original(url_of(path)) as original:
            assert list(original.blocks("not there")) == []
            assert list(original.blocks("' OR 1=1 --")) == []

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_odd_names_come_as_they_are(self, kind, place, path):
        uid = expected_versions(path, fractions=True)[0].uid
        template = rows(path, f"SELECT * FROM versions WHERE uid = '{uid}'")[0]
        with closing(sqlite3.connect(path)) as connection, connection:
            for number, name in enumerate(ODD):
                row = template | {"uid": f"odd-{number}", "name": name, "snapshot_name": name[::-1]}
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO versions ({', '.join(row)}) VALUES ({marks})", list(row.values()))
                connection.execute("INSERT INTO tags (version_uid, name) VALUES (?, ?)", (uid, name))
        with open_original(place(path, kind)) as original:
            versions = {each.uid: each for each in original.versions()}
        found = [
            (versions[f"odd-{number}"].name, versions[f"odd-{number}"].snapshot_name) for number in range(len(ODD))
        ]
        assert found == [(name, name[::-1]) for name in ODD]
        assert versions[uid].tags >= set(ODD)

    def test_times_with_and_without_a_fraction_are_in_one_order(self, path):
        uids = [each.uid for each in expected_versions(path, fractions=True)]
        times = ["2020-01-01 00:00:00.5", "2020-01-01 00:00:00", "2020-01-01", "2020-01-01 00:00:01.000000"]
        run(
            path,
            *[
                f"UPDATE versions SET date = '{time}' WHERE uid = '{uid}'"
                for time, uid in zip(times, uids, strict=True)
            ],
        )
        with open_original(url_of(path)) as original:
            found = [(each.date, each.uid) for each in original.versions()]
        assert [date.second + date.microsecond / 1e6 for date, _ in found] == [0, 0, 0.5, 1]
        assert found == sorted(found)

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_statistics_of_no_version_are_left_out_and_a_continued_backup_has_two(self, kind, place, path):
        run(path, "UPDATE stats SET version_uid = NULL WHERE id = 1")
        run(path, "UPDATE stats SET version_uid = (SELECT version_uid FROM stats WHERE id = 3) WHERE id = 2")
        with open_original(place(path, kind)) as original:
            found = list(original.statistics())
        assert found == expected_statistics(path)
        uids = [each.uid for each in found]
        assert sorted(map(uids.count, uids)) == [1, 1, 2, 2]

    @pytest.mark.parametrize("page", [1, 7])
    @pytest.mark.parametrize("name", [OLD, ENCRYPTED])
    def test_pages_make_no_difference(self, name, page, tmp_path, monkeypatch):
        url = url_of(database_of(name, tmp_path))
        whole = everything(url)
        monkeypatch.setattr(sql_original, "_ROWS", page)
        assert everything(url) == whole

    def test_a_big_version_is_not_held_in_memory(self, path, monkeypatch):
        monkeypatch.setattr(sql_original, "_ROWS", 100)
        numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)"
        run(
            path,
            "INSERT INTO blocks (uid, version_uid, id, date, checksum, size, valid, enc_version) "
            f"{numbers} SELECT 'u' || i, 'big', i, '2020-01-01', 'c' || i, 4096, 1, 0 FROM n",
        )
        with open_original(url_of(path)) as original:
            next(original.blocks("big"))
            tracemalloc.start()
            try:
                assert sum(1 for _ in original.blocks("big")) == 20_000
                assert tracemalloc.get_traced_memory()[1] < 500_000
            finally:
                tracemalloc.stop()


UID = "[0-9a-f-]{36}"


class TestNonsense:
    @pytest.mark.parametrize(
        ("change", "what", "reason"),
        [
            ("versions SET date = 'yesterday'", UID, "its date is 'yesterday', expected a time"),
            ("versions SET date = ''", UID, "its date is '', expected a time"),
            ("versions SET date = x'00'", UID, r"its date is b'\\x00', expected a time"),
            ("versions SET expire = 'soon'", UID, "its expire is 'soon', expected a time"),
            ("versions SET size = 'big'", UID, "its size is 'big', expected a whole number"),
            ("versions SET size_bytes = -1", UID, "its size_bytes is -1, expected a whole number"),
            ("versions SET name = x'00ff'", UID, r"its name is b'\\x00\\xff', expected text"),
            (
                "blocks SET date = '2020-13-01 00:00:00'",
                r"block \d+",
                "its date is '2020-13-01 00:00:00', expected a time",
            ),
            ("blocks SET size = NULL", r"block \d+", "its size is None, expected a whole number"),
            ("blocks SET uid = x'00'", r"block \d+", r"its uid is b'\\x00', expected text"),
            ("stats SET date = 'x'", f"the statistics of version {UID} of x", "its date is 'x', expected a time"),
            (
                "stats SET bytes_read = 'x'",
                f"the statistics of version {UID} of .*",
                "its counts is 'x', expected a whole",
            ),
        ],
    )
    def test_a_row_that_cannot_be_understood_says_why_and_the_others_are_there(self, change, what, reason, path):
        table = change.split()[0]
        whole = everything(url_of(path))
        (number,) = [row["n"] for row in rows(path, f"SELECT max(rowid) AS n FROM {table}")]
        run(path, f"UPDATE {change} WHERE rowid = {number}")
        versions, blocks, statistics = everything(url_of(path))
        kinds = {
            "versions": versions,
            "blocks": [each for found in blocks.values() for each in found],
            "stats": statistics,
        }
        (unreadable,) = [each for each in kinds[table] if isinstance(each, Unreadable)]
        assert re.fullmatch(what, unreadable.what)
        assert re.match(reason, unreadable.reason)
        if table == "versions":
            assert versions[0] is unreadable
            assert versions[1:] == [each for each in whole[0] if each.uid != unreadable.what]
        if table == "stats":
            assert [each for each in statistics if each is not unreadable] == whole[2][:-1]

    @pytest.mark.xdist_group("mariadb")
    def test_a_day_that_mariadb_made_up_is_no_time(self, mariadb, tmp_path):
        url = mariadb.make_database()
        copy(database_of(OLD, tmp_path), url)
        with connected(url) as connection:
            connection.exec_driver_sql("SET sql_mode = ''")
            connection.exec_driver_sql("UPDATE versions SET date = '0000-00-00 00:00:00' WHERE snapshot_name = 's2'")
        with open_original(url) as original:
            first, *others = original.versions()
        assert first.reason.startswith("its date is '0000-00-00 00:00:00', expected a time")
        assert len(others) == 3


class TestOnlyReading:
    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_the_database_refuses_to_be_changed(self, kind, place, path):
        url = place(path, kind)
        before = dump(url)
        with open_original(url) as original:
            for statement in ("DELETE FROM tags", "UPDATE versions SET valid = 1", "CREATE TABLE mine (id INTEGER)"):
                if kind == "mariadb" and statement.startswith("CREATE"):
                    continue  # commits at once, whatever the transaction
                with pytest.raises(MetaBackendError, match=r"(?i)read.?only"), original._reading() as connection:
                    connection.exec_driver_sql(statement)
        assert dump(url) == before

    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_a_version_is_read_as_it_was_when_reading_began(self, kind, place, path, monkeypatch):
        monkeypatch.setattr(sql_original, "_ROWS", 10)
        run(path, "PRAGMA journal_mode=WAL")
        url = place(path, kind)
        uid = expected_versions(path, fractions=True)[0].uid
        with open_original(url) as original:
            whole = list(original.blocks(uid))
            begun = original.blocks(uid)
            first = next(begun)
            with connected(url) as connection:
                connection.exec_driver_sql("DELETE FROM blocks")
            assert [first, *begun] == whole
            assert list(original.blocks(uid)) == []

    def test_reading_given_up_in_the_middle_keeps_nobody_from_writing(self, path, monkeypatch):
        monkeypatch.setattr(sql_original, "_ROWS", 10)
        with open_original(url_of(path)) as original:
            begun = original.blocks(expected_versions(path, fractions=True)[0].uid)
            next(begun)
            begun.close()
            run(path, "DELETE FROM tags")

    def test_listing_versions_keeps_nobody_from_writing(self, path):
        with open_original(url_of(path)) as original:
            listing = original.versions()
            next(listing)
            run(path, "DELETE FROM tags")

    def test_a_missing_file_is_not_made(self, tmp_path):
        with pytest.raises(MetaBackendError, match=r"missing\.sqlite does not exist"):
            open_original(f"sqlite:///{tmp_path}/missing.sqlite")
        assert list(tmp_path.iterdir()) == []

    def test_what_stands_in_a_wal_that_was_left_behind_is_read_and_stays(self, tmp_path):
        path = database_of(OLD, tmp_path)
        leave(path, "PRAGMA journal_mode=WAL", "UPDATE versions SET name = 'from the wal'")
        before = hash_of(path.parent)
        assert before["backy.sqlite-wal"] != hashlib.sha256(b"").hexdigest()
        with open_original(url_of(path)) as original:
            assert {version.name for version in original.versions()} == {"from the wal"}
        after = hash_of(path.parent)
        assert {name: after[name] for name in ("backy.sqlite", "backy.sqlite-wal")} == {
            name: before[name] for name in ("backy.sqlite", "backy.sqlite-wal")
        }

    def test_a_write_that_was_interrupted_is_left_to_the_original(self, tmp_path):
        path = database_of(OLD, tmp_path)
        leave(path, "PRAGMA cache_size=5", "BEGIN", "UPDATE blocks SET checksum = 'x'")
        before = hash_of(path.parent)
        assert "backy.sqlite-journal" in before
        with pytest.raises(
            MetaBackendError, match=r"backy\.sqlite was left in the middle of a write.*let the original"
        ):
            open_original(url_of(path))
        assert hash_of(path.parent) == before
        run(path, "SELECT 1 FROM versions")
        with open_original(url_of(path)) as original:
            assert [version.name for version in original.versions()] == ["vm-a"] * 3 + ["vm-b"]

    def test_a_journal_without_content_is_no_obstacle(self, path):
        Path(f"{path}-journal").write_bytes(b"")
        with open_original(url_of(path)) as original:
            assert len(list(original.versions())) == 4

    def test_a_path_with_odd_characters_is_found(self, tmp_path):
        path = database_of(OLD, tmp_path).rename(tmp_path / "a b?c#d%41é.sqlite")
        with open_original(str(sa.URL.create("sqlite", database=str(path)))) as original:
            assert len(list(original.versions())) == 4


class TestTrouble:
    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_a_database_of_ours_alone_is_none_of_the_original(self, kind, request, tmp_path):
        url = url_of(tmp_path / "meta") if kind == "sqlite" else request.getfixturevalue(kind).make_database()
        with sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url))) as meta:
            meta.initialise()
        with pytest.raises(
            ExchangeError, match="not one of the original backy2: it has no table versions and no table bl"
        ):
            open_original(None, engine=url)

    def test_a_table_of_that_name_by_somebody_else_is_recognised(self, path):
        run(path, "ALTER TABLE versions DROP COLUMN valid", "ALTER TABLE versions DROP COLUMN size_bytes")
        with pytest.raises(ExchangeError, match="its table versions has no column size_bytes and no column valid"):
            open_original(url_of(path))

    def test_a_file_that_is_no_database_is_said_to_be_none(self, tmp_path):
        (tmp_path / "file").write_bytes(b"this is no database at all\n" * 500)
        with pytest.raises(MetaBackendError, match="is not a database"):
            open_original(url_of(tmp_path / "file"))

    def test_a_damaged_database_is_said_to_be_damaged(self, path):
        content = bytearray(path.read_bytes())
        content[8192:] = os.urandom(len(content) - 8192)
        path.write_bytes(content)
        with pytest.raises(MetaBackendError, match=r"backy\.sqlite is damaged"):
            everything(url_of(path))

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    @pytest.mark.parametrize("kind", [POSTGRESQL, MARIADB])
    @pytest.mark.parametrize(
        ("part", "wrong", "reason"),
        [(":geheim@", ":geheimnis@", "password"), (r"/\w+\?", "/nosuch?", "does not exist|Unknown database")],
    )
    def test_a_wrong_password_or_database_is_said_without_the_password(self, kind, part, wrong, reason, request):
        url = re.sub(part, wrong, request.getfixturevalue(kind).shared_database)
        message = complaint(url)
        assert re.search(f"check .*({reason})", message)
        assert "\n" not in message
        assert "geheim" not in message

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://u:geheim@/d?host=/nonexistent",
            "postgresql://u@127.0.0.1:1/d?password=geheim",
            "mysql://u:geheim@localhost/d?unix_socket=/nonexistent/socket",
            "mariadb://u:geheim@127.0.0.1:1/d",
        ],
    )
    def test_a_server_that_does_not_run_is_said_so_without_the_password(self, url):
        message = complaint(url)
        assert "check that the server runs" in message
        assert "\n" not in message
        assert "geheim" not in message

    @pytest.mark.parametrize("url", ["", "nothing", "sqlite://", "sqlite:///:memory:", "nosuch://u:geheim@host/db"])
    def test_a_url_that_names_no_database_is_refused(self, url):
        with pytest.raises(MetaBackendError) as caught:
            open_original(url)
        assert "geheim" not in str(caught.value)

    def test_closing_twice_does_nothing_and_what_is_closed_refuses_work(self, path):
        original = open_original(url_of(path))
        original.close()
        original.close()
        for call in (original.versions, original.statistics, lambda: original.blocks("x")):
            with pytest.raises(MetaBackendError, match="closed"):
                list(call())


class TestHook:
    def test_the_plugin_offers_it_and_the_gate_lets_its_result_in(self, path):
        registry = PluginRegistry()
        plugin = registry.load(META_BACKENDS, "sql")
        assert registry.offers(plugin, "backy2_open_original")
        settings = settings_of(sql)
        with registry.call(plugin, "backy2_open_original", settings=settings, url=url_of(path)) as original:
            assert original.location == url_of(path)

    def test_the_gate_refuses_what_is_no_database_of_the_original(self):
        with pytest.raises(gate.Unusable, match=r"expected an instance of backy2_core\.api\.OriginalDatabase"):
            gate.check_result("backy2_open_original", object())

    def test_without_any_url_the_setting_is_asked_for(self):
        with pytest.raises(ConfigError, match="setting engine"):
            open_original(None)


class TestSideBySide:
    @pytest.mark.parametrize("release", [OLDEST, ENCRYPTED])
    @pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL, MARIADB])
    def test_our_tables_stand_beside_the_originals_and_leave_them_alone(self, kind, release, place, tmp_path):
        url = place(database_of(release, tmp_path), kind)
        before, content = dump(url), everything(url)
        assert "alembic_version" in before
        settings = settings_of(sql, engine=Secret(url))
        with sql.backy2_open_meta_backend(settings) as meta:
            assert meta.schema_state() is SchemaState.EMPTY
            meta.initialise()
            assert meta.schema_state() is SchemaState.CURRENT
            begin(meta)
            with sql.backy2_open_original(settings, None) as original:
                for version in original.versions():
                    blocks = original.blocks(version.uid)
                    next(blocks)
                    begin(meta)
                    assert [1 for _ in blocks]
            assert begin(meta).id == len(content[0]) + 2
        assert dump(url) == before
        assert everything(url) == content

    def test_nothing_heavy_is_loaded_to_read_a_file(self, path):
        program = f"""
            import sys
            from backy2_core.api import Secret
            from backy2_plugins.meta_backends import sql
            with sql.backy2_open_original({{"engine": None, "busy_timeout": 1.0}}, "{url_of(path)}") as original:
                assert len(list(original.versions())) == 4
            print([name for name in ("alembic", "sqlalchemy.orm", "psycopg", "pymysql") if name in sys.modules])
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True, text=True
        )
        assert done.stdout == "[]\n"


class TestTakeOver:
    """With the original's configuration as it stands, and its tables on a server."""

    @pytest.mark.parametrize("kind", [POSTGRESQL, MARIADB])
    def test_what_was_good_restores_identically_and_the_originals_tables_stay(self, kind, place, tmp_path):
        installation = unpack("213-mixed-bs65536", tmp_path / "original")
        url = place(installation.database, kind)
        installation.database.unlink()
        before = dump(url)
        config = installation.folder / "backy.cfg"
        config.write_text(re.sub("engine:.*", "engine: " + url.replace("%", "%%"), config.read_text()))
        config.chmod(0o600)

        def backy2(*arguments: str) -> int:
            command = [Path(sys.executable).with_name("backy2"), "--config", config, *arguments]
            return subprocess.run(command, cwd=installation.folder, capture_output=True, check=False).returncode

        assert backy2("initdb") == 0
        assert backy2("adopt") == 20  # since the original held some for damaged
        (tmp_path / "image").write_bytes(os.urandom(300_000))
        assert backy2("backup", f"file://{tmp_path}/image", "ours") == 0
        for number, (uid, expected) in enumerate(installation.good.items()):
            target = tmp_path / f"restored-{number}"
            assert backy2("restore", uid, f"file://{target}") == 0
            assert hashlib.sha256(target.read_bytes()).hexdigest() == expected
        assert len(installation.good) == 3
        assert backy2("cleanup") == 0
        assert dump(url) == before


def complaint(url: str) -> str:
    """What opening a database fails with; sockets that the driver left open are gone afterwards."""
    with pytest.raises(MetaBackendError) as caught:
        open_original(url)
    message = str(caught.value)
    del caught
    gc.collect()
    return message


def leave(path: Path, *statements: str) -> None:
    """Run statements in a process that dies without closing the database."""
    program = """
        import os, sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        for statement in sys.argv[2:]:
            connection.execute(statement)
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path), *statements], check=True)
