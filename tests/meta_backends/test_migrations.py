"""A database of any earlier release, of whatever kind, is brought up to date, and loses nothing by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend, SchemaState, StoreInfo
from backy2_core.errors import RefusedError, SchemaError
from backy2_core.model.blob import BlobState, DedupKey
from backy2_core.model.block import Geometry
from backy2_core.model.job import Job, JobKind, JobState, NewJob, Use
from backy2_core.model.version import Counts, Statistics, Version, VersionFilter, VersionId, VersionState, VersionUid
from backy2_core.testing.meta_backend_base import BLOCK_SIZE, DIGEST, HASH, checksum_of, create, new_blobs, segment
from backy2_plugins.meta_backends.sql import migrations
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.schema import REVISIONS
from tests.meta_backends import old_rows
from tests.meta_backends.old_rows import FILLED_IN, ROWS
from tests.meta_backends.test_servers import open_url, start

PREFIX = "backy2_"
Content = dict[str, list[dict[str, Any]]]


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def revisions() -> tuple[str, ...]:
    """Those that have a file, oldest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(alembic()).walk_revisions())[::-1]


EARLIER = revisions()[:-1]
MARIADB = pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb"))
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")), MARIADB]


class Old:
    """A database that can be brought to any revision, and is looked at without our own code."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, PREFIX, 60.0)

    def bring_to(self, revision: str) -> None:
        """Do what the release of that revision did for an empty database."""
        config = alembic()
        with self.database.migrate() as connection:
            config.attributes.update(connection=connection, table_prefix=PREFIX)
            command.upgrade(config, revision)

    def fill(self) -> Content:
        """Insert all rows, as far as the revision has their tables and columns; returns what is there then."""
        with self.database.migrate() as connection:
            for name, table in self.tables(connection).items():
                connection.execute(sa.delete(table))
                rows = [{key: value for key, value in row.items() if key in table.c} for row in ROWS[name]]
                connection.execute(sa.insert(table), rows)
        return self.content()

    def pretend(self, revision: str) -> None:
        """Leave the database as one that was left behind a change, but in front of the word that it was made."""
        with self.database.migrate() as connection:
            connection.execute(sa.update(self.database.tables.schema).values(version_num=revision))

    def content(self) -> Content:
        """All rows of all tables but the one with the revision."""
        with self.database.migrate() as connection:
            return {
                name: sorted(
                    (dict(row._mapping) for row in connection.execute(sa.select(table))),
                    key=lambda row: [str(row[column.name]) for column in table.primary_key],
                )
                for name, table in self.tables(connection).items()
            }

    def tables(self, connection: sa.Connection) -> dict[str, sa.Table]:
        """What the database says of them, by name without the prefix; but for the one with the revision."""
        metadata = sa.MetaData()
        metadata.reflect(connection, only=lambda name, _: name.startswith(PREFIX) and name != f"{PREFIX}schema")
        return {table.name.removeprefix(PREFIX): table for table in metadata.sorted_tables}

    def structure(self) -> dict[str, Any]:
        """All that the database says of its tables."""
        with self.database.migrate() as connection:
            inspector = sa.inspect(connection)
            return {
                name: {
                    "columns": [
                        column | {"type": column["type"].compile(connection.dialect)}
                        for column in inspector.get_columns(name)
                    ],
                    "key": inspector.get_pk_constraint(name),
                    "unique": by_name(inspector.get_unique_constraints(name)),
                    "indexes": by_name(inspector.get_indexes(name)),
                    "checks": by_name(inspector.get_check_constraints(name)),
                    "references": by_name(inspector.get_foreign_keys(name)),
                    "options": inspector.get_table_options(name),
                }
                for name in inspector.get_table_names()
            }

    def differences(self) -> list[Any]:
        """What alembic would have to change, so that the tables are those that the code expects."""
        with self.database.migrate() as connection:
            tables = self.database.tables
            context = MigrationContext.configure(connection, opts={"version_table": tables.schema.name})
            return list(compare_metadata(context, tables.metadata))


def by_name(things: list[Any]) -> list[Any]:
    """Sorted, with their options as text: a condition is an object that is equal to none but itself."""
    texts = [{name: str(value) for name, value in thing.get("dialect_options", {}).items()} for thing in things]
    plain = [thing | {"dialect_options": options} for thing, options in zip(things, texts, strict=True)]
    return sorted(plain, key=lambda thing: str(thing["name"]))


def at(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


@pytest.fixture
def make(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Old]]:
    """Makes an empty database at each call."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def made() -> Old:
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path}/{next(numbers)}.sqlite"
            else:
                url = request.getfixturevalue(kind).make_database()
            old = Old(url)
            stack.callback(old.database.close)
            return old

        yield made


@pytest.fixture
def empty(make: Callable[[], Old]) -> Old:
    return make()


@pytest.fixture
def new(make: Callable[[], Old]) -> Old:
    """A database made from empty."""
    old = make()
    with open_url(old.url) as meta:
        meta.initialise()
    return old


def up_to_date(before: Content, after: Content) -> Content:
    """What ``before`` must have become: nothing but the columns and tables that were added to it."""
    columns = {name: rows[0].keys() for name, rows in after.items() if rows}
    assert columns.keys() >= before.keys()
    return {name: [] for name in after} | {
        name: [row | {key: FILLED_IN[name, key] for key in columns[name] if key not in row} for row in rows]
        for name, rows in before.items()
    }


FIRST = Version(
    id=VersionId(1),
    uid=VersionUid(old_rows.VALID),
    name="vm größe",
    snapshot_name="",
    date=at(old_rows.NOW + 1),
    geometry=Geometry(129 * BLOCK_SIZE, BLOCK_SIZE),
    hash=HASH,
    source="file:///srv/vm",
    source_identity="inode 7",
    base=None,
    hints_digest="",
    digest=DIGEST,
    state=VersionState.VALID,
    protected=True,
    expire=at(old_rows.DISTANT),
    tags=old_rows.TAGS,
    key="k1",
)


def check_what_was_there(meta: MetaBackend, before: Content) -> None:
    """Read every row through the meta backend."""
    had_key, had_alone = "key" in before["versions"][0], "alone" in before["jobs"][0]
    listed = list(meta.versions(VersionFilter(states=frozenset(VersionState))))
    assert listed[0] == (FIRST if had_key else replace(FIRST, key=""))
    assert [(version.id, version.state) for version in listed[1:]] == [
        (2, VersionState.INCOMPLETE),
        (3, VersionState.REMOVED),
    ]
    assert (listed[1].base, listed[1].hints_digest) == (old_rows.VALID, "00ff")
    assert [version.id for version in meta.versions(VersionFilter(tag="daily "))] == [1]
    assert meta.stores() == [StoreInfo(1, "first", "file", "/srv/größe"), StoreInfo(2, "First", "s3", "bucket")]
    assert meta.read_note(1, "keys") == (b"\x00wrapped\xff" if "notes" in before else None)
    [statistics] = meta.statistics(old_rows.VALID)
    assert statistics.duration_s == 12.3456789012345
    assert statistics.counts.bytes_sparse == 126 * BLOCK_SIZE
    check_jobs(meta.jobs(list(JobState)), "backup of vm größe" if had_alone else "")
    check_blocks(meta)


def check_jobs(jobs: list[Job], alone: str) -> None:
    assert [(job.id, job.kind, job.state, job.versions) for job in jobs] == [
        (3, JobKind.BACKUP, JobState.LIVE, (1, 2)),
        (2, JobKind.CLEANUP, JobState.EXPIRED, ()),
        (1, JobKind.BACKUP, JobState.ENDED, ()),
    ]
    live = jobs[0]
    assert (live.progress, live.lease_until, live.alone) == (0.123456789012345, at(old_rows.DISTANT), alone)


def check_blocks(meta: MetaBackend) -> None:
    ids = list(meta.read_map(1))
    segments = meta.read_segments(ids)
    assert [segments[number].data for number in ids] == [old_rows.FULL_SEGMENT, old_rows.LAST_SEGMENT]
    blobs = meta.read_blobs([1, 2, 3, 4, 5, 6])
    assert [(blob.id, blob.uid, blob.state) for blob in sorted(blobs.values(), key=lambda blob: blob.id)] == [
        (1, f"{1:032x}", BlobState.STORED),
        (2, f"{2:032x}", BlobState.STORED),
        (3, "aB", BlobState.DAMAGED),
        (5, "Ab", BlobState.UNSEEN),
        (6, "aB", BlobState.STORED),
    ]
    assert (blobs[1].transforms, blobs[1].envelope, blobs[1].key) == (old_rows.CHAIN, b"\x00env\xff", "k1")
    assert meta.recorded_uids(1, ["aB", "Ab", "ab", "AB"]) == {"aB", "Ab"}


def back_up(meta: MetaBackend) -> None:
    """An incremental backup on top of the old version: one block kept in its segment, one found stored, one new."""
    use = Use(old_rows.VALID)
    job = meta.begin_job(NewJob(JobKind.BACKUP, "host", 1, "backup", 3600.0, (use,), alone="backup of another")).id
    store = meta.register_store("first", "file", "/srv/größe")
    wanted = [DedupKey(checksum_of(number), BLOCK_SIZE) for number in (1, 2, 3, 5)]
    assert meta.find_blobs(store, HASH, "", wanted) == {wanted[1]: 2}
    [added] = meta.add_blobs(job, store, new_blobs(1, uid="after"))
    version = create(meta, job, 130, name="vm größe", tags=frozenset({"Daily"}), base=old_rows.VALID, key="k2")
    assert (job, store, added, version.id) == (4, 1, 8, 4)
    ids = meta.append_segments(job, version.id, [KeptSegment(1), segment([2, added])])
    assert ids == [1, 4]
    statistics = Statistics(
        version.uid, version.name, version.date, 130 * BLOCK_SIZE, 130, Counts(blocks_read=2, blocks_kept=128), 0.5
    )
    finished = meta.finish_version(job, version.id, DIGEST, statistics)
    meta.end_job(job)
    assert finished.state is VersionState.VALID
    assert list(meta.versions(VersionFilter(tag="Daily")))[1:] == [finished]
    assert finished.key == "k2"
    assert list(meta.read_map(version.id)) == ids
    assert meta.statistics() == [*meta.statistics(old_rows.VALID), statistics]


def go_on(meta: MetaBackend) -> None:
    """What was under way goes on where it was, and what came with later revisions works."""
    meta.renew_job(3, 3600.0, 0.5)
    assert meta.append_segments(3, 2, [segment([1, 2])])[0] > 4
    meta.write_note(1, "keys", b"other")
    assert meta.read_note(1, "keys") == b"other"
    job = meta.begin_job(NewJob(JobKind.BACKUP, "host", 1, "backup", 3600.0, alone="x" * 512)).id
    with pytest.raises(RefusedError):
        meta.begin_job(NewJob(JobKind.BACKUP, "host", 2, "backup", 3600.0, alone="x" * 512))
    meta.end_job(job)


def test_the_revisions_that_the_code_knows_are_those_that_have_a_file() -> None:
    assert revisions() == REVISIONS


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_rows_of_these_tests_fill_every_table_and_column(kind: str, new: Old) -> None:
    assert {table: set(rows[0]) for table, rows in new.fill().items()} == {
        table: set(rows[0]) for table, rows in ROWS.items()
    }


@pytest.mark.parametrize("revision", EARLIER)
@pytest.mark.parametrize("kind", KINDS)
class TestEarlier:
    def test_every_row_is_there_after_the_migration_and_work_goes_on(
        self, kind: str, revision: str, empty: Old
    ) -> None:
        empty.bring_to(revision)
        before = empty.fill()
        with open_url(empty.url) as meta:
            assert meta.schema_state() is SchemaState.OLD
            with pytest.raises(SchemaError, match="initdb"):
                meta.stores()
            assert empty.content() == before
            meta.initialise()
            assert meta.schema_state() is SchemaState.CURRENT
            after = empty.content()
            assert after == up_to_date(before, after)
            check_what_was_there(meta, before)
            back_up(meta)
            go_on(meta)

    def test_the_tables_are_those_that_a_new_database_has(self, kind: str, revision: str, empty: Old, new: Old) -> None:
        empty.bring_to(revision)
        empty.fill()
        assert empty.structure() != new.structure()
        with open_url(empty.url) as meta:
            meta.initialise()
        assert empty.structure() == new.structure()
        assert empty.differences() == []


@pytest.mark.parametrize("revision", EARLIER)
@pytest.mark.parametrize("kind", ["sqlite", MARIADB])
def test_a_migration_that_was_interrupted_behind_its_change_is_finished(
    kind: str, revision: str, empty: Old, new: Old
) -> None:
    """MariaDB makes each change for good at once, before the revision; SQLite does as if here."""
    empty.bring_to(REVISIONS[REVISIONS.index(revision) + 1])
    before = empty.fill()
    empty.pretend(revision)
    with open_url(empty.url) as meta:
        assert meta.schema_state() is SchemaState.OLD
        meta.initialise()
        assert meta.schema_state() is SchemaState.CURRENT
        after = empty.content()
        assert after == up_to_date(before, after)
        back_up(meta)
    assert empty.structure() == new.structure()


@pytest.mark.parametrize("kind", KINDS)
def test_hosts_may_bring_one_database_up_to_date_at_once(kind: str, empty: Old) -> None:
    empty.bring_to(EARLIER[0])
    before = empty.fill()
    hosts = [start(empty.url) for _ in range(2)]
    for host in hosts:
        assert host.stdin is not None
        host.stdin.write("go\n")
        host.stdin.flush()
    assert [host.communicate()[0] for host in hosts] == ["current\n"] * 2
    after = empty.content()
    assert after == up_to_date(before, after)
