"""Moving an installation from one database to another: nothing is lost, and only one of them is in use afterwards."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from backy2_core.contracts.meta_backend import SchemaState
from backy2_core.errors import RefusedError, SchemaError
from backy2_core.testing.meta_backend_base import begin, run_out
from backy2_plugins.meta_backends import sql
from backy2_plugins.meta_backends.sql.schema import REVISIONS
from tests.meta_backends.test_servers import open_url
from tests.support.engines import settings_of

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
]
BLOCK = 4096


class Installation:
    """An installation on SQLite with versions of every kind in it, run by its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/backy2.sqlite"
        self.images: dict[str, bytes] = {}
        self.configure(self.url)
        self.run("initdb")
        draw = random.Random(11)
        content = bytearray(draw.randbytes(64 * BLOCK))
        for day in range(3):
            content[day * BLOCK : (day + 1) * BLOCK] = draw.randbytes(BLOCK)
            (folder / "image").write_bytes(content)
            uid = self.run("-m", "backup", "-t", f"day{day},größe", f"file://{folder}/image", "vm ü").strip()
            self.images[uid] = bytes(content)
        removed = next(iter(self.images))
        self.run("rm", removed)
        del self.images[removed]
        self.run("protect", next(iter(self.images)))

    def configure(self, url: str) -> None:
        text = f"[backy2]\nblock_size = {BLOCK}\n[data_backend]\npath = {self.folder}/data\n"
        (self.folder / "backy2.cfg").write_text(text + f"[meta_backend]\nengine = {url.replace('%', '%%')}\n")

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "backy2_core.cli.main", "--config", self.folder / "backy2.cfg", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        output, said = process.communicate()
        assert process.returncode == code, said
        return output if code == 0 else said

    def listing(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.run("ls", "--format", "json"))
        return rows


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def installation(filled: Installation) -> Iterator[Installation]:
    """The filled one, with its database as it was before any move."""
    path = filled.folder / "backy2.sqlite"
    content = path.read_bytes()
    yield filled
    path.write_bytes(content)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    filled.configure(filled.url)


@pytest.fixture
def new_url(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    def made(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/new.sqlite"
        url: str = request.getfixturevalue(kind).make_database()
        return url

    return made


def rows_of(url: str) -> dict[str, list[tuple]]:
    """All rows of all tables, but for the revision."""
    with open_url(url) as meta, meta._database.transaction(meta._database._engine) as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table)).all()), key=repr)
            for table in meta._database.tables.metadata.sorted_tables
        }


def move(origin: str, destination: str, tell: Callable[[int, int], None] = lambda done, total: None) -> dict[str, int]:
    return dict(sql.backy2_move_metadata(settings_of(sql), origin, destination, tell))


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_it_arrives_and_works_in_the_new_database_alone(kind, installation, new_url):
    url, before = new_url(kind), installation.listing()
    rows = rows_of(installation.url)
    counts = json.loads(installation.run("move-metadata", installation.url, url, "--format", "json"))
    assert {row["table"]: row["rows"] for row in counts} == {
        name: len(content) for name, content in rows.items() if name != "backy2_counters"
    }
    assert rows_of(url) == rows
    assert "was moved to another one" in installation.run("ls", code=15)
    assert "was moved to another one" in installation.run("initdb", code=15)
    installation.configure(url)
    assert installation.listing() == before
    installation.run("check")
    for uid, content in installation.images.items():
        target = installation.folder / "restored"
        installation.run("restore", "--force", uid, f"file://{target}")
        assert target.read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_again(kind, installation, new_url, tmp_path):
    rows, url, last = rows_of(installation.url), new_url(kind), f"sqlite:///{tmp_path}/last.sqlite"
    move(installation.url, url)
    move(url, last)
    assert rows_of(last) == rows
    with open_url(last) as meta:
        assert begin(meta).id == max(row[0] for row in rows["backy2_jobs"]) + 1


def test_a_new_database_that_is_in_use_is_refused_and_left_as_it_was(installation, tmp_path):
    url = f"sqlite:///{tmp_path}/other.sqlite"
    with open_url(url) as meta:
        meta.initialise()
        meta.register_store("another", "file", "/x")
    before = rows_of(url)
    with pytest.raises(RefusedError, match="is not empty, and holds other rows"):
        move(installation.url, url)
    assert rows_of(url) == before
    assert len(installation.listing()) == 2


def test_a_new_database_of_an_older_release_is_refused_and_left_as_it_was(installation, tmp_path):
    path = tmp_path / "other.sqlite"
    with open_url(f"sqlite:///{path}") as meta:
        meta.initialise()
    with contextlib.closing(sqlite3.connect(path)) as older, older:
        older.execute("UPDATE backy2_schema SET version_num = '0003'")
    with pytest.raises(RefusedError, match="has the tables of an older release"):
        move(installation.url, f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as older:
        assert older.execute("SELECT version_num FROM backy2_schema").fetchall() == [("0003",)]


def test_a_live_job_keeps_the_database_where_it_is(installation, tmp_path):
    with open_url(installation.url) as meta:
        job = begin(meta)
        with pytest.raises(RefusedError, match=r"job .* has a lease"):
            move(installation.url, f"sqlite:///{tmp_path}/new.sqlite")
        assert not (tmp_path / "new.sqlite").exists(), "who is refused leaves nothing"
        meta.end_job(job.id)
    move(installation.url, f"sqlite:///{tmp_path}/new.sqlite")


@pytest.mark.parametrize("kind", KINDS)
def test_who_worked_in_the_old_database_before_writes_nothing_to_it_afterwards(kind, installation, new_url, tmp_path):
    url = new_url(kind)
    move(installation.url, url)
    with open_url(url) as meta, ThreadPoolExecutor(1) as beside:
        asleep, waiting = begin(meta), []
        run_out(meta, asleep.id)

        def tell(done: int, total: int) -> None:
            if not waiting:
                waiting.append(beside.submit(begin, meta))

        move(url, f"sqlite:///{tmp_path}/last.sqlite", tell)
        with pytest.raises(SchemaError, match="was moved to another one"):
            waiting[0].result()
        with pytest.raises(SchemaError, match="was moved to another one"):
            meta.renew_job(asleep.id, 60.0, 0.5)


def test_nobody_writes_while_it_is_moved(installation, tmp_path):
    refused: list[bool] = []

    def tell(done: int, total: int) -> None:
        with contextlib.closing(sqlite3.connect(installation.folder / "backy2.sqlite", timeout=0)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                refused.append(True)

    move(installation.url, f"sqlite:///{tmp_path}/new.sqlite", tell)
    assert refused


def test_what_holds_nothing_or_is_the_same_is_refused(installation, tmp_path):
    with pytest.raises(SchemaError, match="there is nothing to move"):
        move(f"sqlite:///{tmp_path}/none.sqlite", f"sqlite:///{tmp_path}/new.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(RefusedError, match="to itself"):
        move(installation.url, installation.url)


def test_a_move_that_fails_in_the_middle_leaves_all_where_it_was(installation, tmp_path):
    def tell(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        move(installation.url, f"sqlite:///{tmp_path}/new.sqlite", tell)
    assert len(installation.listing()) == 2
    move(installation.url, f"sqlite:///{tmp_path}/new.sqlite")


def test_a_move_that_died_before_the_old_database_was_marked_is_run_again(installation, tmp_path):
    url = f"sqlite:///{tmp_path}/new.sqlite"
    move(installation.url, url)
    with contextlib.closing(sqlite3.connect(installation.folder / "backy2.sqlite")) as old:
        old.execute("UPDATE backy2_schema SET version_num = ?", [REVISIONS[-1]])
        old.commit()
    rows = rows_of(url)
    move(installation.url, url)
    assert rows_of(url) == rows
    with open_url(installation.url) as meta:
        assert meta.schema_state() is SchemaState.MOVED


def test_killed_at_any_moment_all_is_there_and_it_can_be_run_again(installation, tmp_path):
    draw, rows = random.Random(5), rows_of(installation.url)
    for attempt in range(8):
        url = f"sqlite:///{tmp_path}/new{attempt}.sqlite"
        process = installation.start("move-metadata", installation.url, url)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.2, 0.9))
        process.kill()
        process.communicate()
        with open_url(installation.url) as meta:
            moved = meta.schema_state() is SchemaState.MOVED
        if moved:
            break
        assert rows_of(installation.url) == rows
    else:
        move(installation.url, url)
    assert rows_of(url) == rows


def test_a_password_may_come_from_a_file(installation, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("new\n")
    secret.chmod(0o600)
    installation.run("move-metadata", installation.url, f"sqlite:///{tmp_path}/%(file:{secret})s.sqlite")
    assert (tmp_path / "new.sqlite").exists()
    assert "cannot be read" in installation.run("move-metadata", installation.url, "x://%(env:NOT_THERE)s", code=2)
