"""Throwaway database servers of one's own, from Debian's packages: for tests of what differs between databases.

Each is started in a folder of its own, reachable through a socket in it only, and takes half a second to make. It keeps
what it acknowledged when it is killed, but nothing is safe from a crash of the machine, so it is quick. A test asks for the
fixture ``postgresql`` or ``mariadb`` (import them into a conftest), and is skipped where the packages are missing.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pymysql
import pytest

USER = "keeper"
PASSWORD = "geheim"
NOBODY = 65534
PATIENCE_S = 60.0
_MARIADB_OPTIONS = (
    "--no-defaults",
    "--skip-networking",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
)


class Server(ABC):
    """A running server; ended with the process that started it. No other process is ever touched."""

    end_signal: signal.Signals
    socket: str

    def __init__(self) -> None:
        # Not in pytest's folder: the path of a socket must be short, and only its owner may enter that one.
        self.folder = Path(tempfile.mkdtemp(prefix="backy2-server-"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        with ExitStack() as undo:
            undo.callback(self.close)
            if os.geteuid() == 0:
                os.chown(self.folder, NOBODY, NOBODY)
            self.make()
            self._start()
            undo.pop_all()

    @abstractmethod
    def make(self) -> None:
        """Make the files of an empty server."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    @abstractmethod
    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """Where a database is, in SQLAlchemy's notation and without naming a driver."""

    @abstractmethod
    def administrate(self, statement: str) -> None:
        """Run a statement outside of transactions, with all rights. Raises :class:`ConnectionError` while it starts."""

    @cached_property
    def shared_database(self) -> str:
        """The URL of a database for all tests that can keep apart in it: much is quicker than with one for each."""
        return self.make_database()

    def make_database(self) -> str:
        """Make an empty place for tables, return its URL."""
        name = f"d{next(self._numbers)}"
        self.administrate(f"CREATE SCHEMA {name}")
        return self.url(name)

    def run(self, command: Sequence[str | Path], **options: Any) -> None:
        """Run one of its programs to its end: quietly, and never as root, which they refuse."""
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run(
                command, cwd=self.folder, stdout=log, stderr=log, check=False, **options, **_identity()
            )
        assert done.returncode == 0, self.log()

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would; what it had acknowledged is kept."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def start(self) -> None:
        """Start it again after :meth:`kill`; returns when it answers."""
        self._start()

    def close(self) -> None:
        """End it, and remove all that it left."""
        if self._process is not None:
            self._process.send_signal(self.end_signal)
            self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        # So it ends with this process, however that ends.
        command = ["setpriv", f"--pdeathsig={self.end_signal.name.removeprefix('SIG')}", *self.command()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **_identity())
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with closing(socket.socket(socket.AF_UNIX)) as knock:
                    knock.connect(str(self.folder / self.socket))
                return self.administrate("SELECT 1")
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.log()) from error
            time.sleep(0.02)


class PostgreSQL(Server):
    """PostgreSQL; its user may do anything."""

    end_signal = signal.SIGQUIT
    socket = ".s.PGSQL.5432"

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        super().__init__()

    def make(self) -> None:
        (self.folder / "password").write_text(PASSWORD)
        accounts = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", str(self.folder / "password")]
        files = ["--pgdata", str(self.folder / "data"), "--no-sync"]
        # Names are sorted as people would, so that a test that takes another order for granted fails.
        files += ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "icu", "--icu-locale", "en"]
        self.run([self._programs / "initdb", *files, *accounts])

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        given = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *given]

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        # A schema is as good as a database here, and is made and dropped many times quicker.
        return f"postgresql://{user}:{password}@/postgres?host={self.folder}&options=-csearch_path%3D{database}"

    def administrate(self, statement: str) -> None:
        try:
            connection = psycopg.connect(self.url("public"), autocommit=True)
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from error
        with closing(connection):
            connection.execute(statement)


class MariaDB(Server):
    """MariaDB, with the character set that it has by itself; its user may do anything."""

    end_signal = signal.SIGKILL
    socket = "socket"

    def __init__(self, program: Path, tables: Path) -> None:
        self._program = program
        self._tables = tables
        super().__init__()
        self.administrate(f"CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}'")
        self.administrate(f"GRANT ALL ON *.* TO {USER}@localhost")

    def make(self) -> None:
        # The packages' own script does this and more, takes several times as long, and needs those of the client too.
        statements = [b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n", self._tables.read_bytes()]
        statements.append(self._tables.with_stem(f"{self._tables.stem}_data").read_bytes())
        (self.folder / "data").mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder / "data", NOBODY, NOBODY)
        self.run([*self.command(), "--bootstrap", "--skip-grant-tables"], input=b"".join(statements))

    def command(self) -> list[str]:
        places = [f"--datadir={self.folder / 'data'}", f"--socket={self.folder / self.socket}"]
        return [str(self._program), *_MARIADB_OPTIONS, *places, f"--pid-file={self.folder / 'pid'}"]

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        return f"mysql://{user}:{password}@localhost/{database}?unix_socket={self.folder / self.socket}"

    def administrate(self, statement: str) -> None:
        try:
            connection = pymysql.connect(user="root", unix_socket=str(self.folder / self.socket))
        except pymysql.OperationalError as error:
            raise ConnectionError(str(error)) from error
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)


P = TypeVar("P", bound=PostgreSQL)
M = TypeVar("M", bound=MariaDB)


def own_postgresql(kind: type[P] = PostgreSQL) -> P:  # type: ignore[assignment]
    """A server of PostgreSQL for whoever is going to kill it; skips the test where the programs are missing."""
    initdb = _newest("usr/lib/postgresql/*/bin/initdb") or shutil.which("initdb")
    if initdb is None or not Path(initdb).with_name("postgres").exists():
        pytest.skip("the programs initdb and postgres are missing; they come with: apt-get install postgresql")
    return kind(Path(initdb).parent)


def own_mariadb(kind: type[M] = MariaDB) -> M:  # type: ignore[assignment]
    """A server of MariaDB for whoever is going to kill it; skips the test where the program is missing."""
    program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    tables = _newest("usr/share/m*/m*_system_tables.sql")
    if program is None or tables is None:
        pytest.skip("the program mariadbd is missing; it comes with: apt-get install mariadb-server")
    return kind(Path(program), tables)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server of PostgreSQL for all tests of this process."""
    with closing(own_postgresql()) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server of MariaDB for all tests of this process."""
    with closing(own_mariadb()) as server:
        yield server


def _newest(pattern: str) -> Path | None:
    """The file whose path holds the highest numbers."""
    found = Path("/").glob(pattern)
    return max(found, key=lambda path: [int(digits) for digits in re.findall(r"\d+", str(path))], default=None)


def _identity() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
