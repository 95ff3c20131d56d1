"""A process that is frozen while it writes does not keep all others from writing for as long as it is."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backy2_core.errors import MetaBackendError
from backy2_core.model.job import JobKind, JobState, NewJob
from backy2_core.model.secret import Secret
from backy2_plugins.meta_backends import sql
from backy2_plugins.meta_backends.sql.database import Database
from tests.support.engines import settings_of
from tests.support.servers import Server

BUSY_S = 2.0
SLEEPER = """
    import sys
    from sqlalchemy import insert, text
    from backy2_core.errors import MetaBackendError
    from backy2_plugins.meta_backends.sql.database import Database
    database = Database(sys.argv[1], "backy2_", float(sys.argv[2]))
    try:
        with database.write(long=sys.argv[3] == "long") as connection:
            connection.execute(text("UPDATE backy2_counters SET value = value + 1000"))
            print("writing", flush=True)
            sys.stdin.readline()
    except MetaBackendError as error:
        print(error, error.retryable)
    else:
        print("done")
"""


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    made: Server = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def url(server: Server) -> str:
    url = server.make_database()
    with sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url))) as meta:
        meta.initialise()
    return url


@contextmanager
def sleeper(url: str, *, long: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that was frozen while it wrote; its next line is what came of it."""
    command = [sys.executable, "-c", textwrap.dedent(SLEEPER), url, str(BUSY_S), "long" if long else "short"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def woken(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGCONT)
    return process.communicate("\n")[0]


def write(url: str) -> None:
    """Begin a job and end it."""
    with sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url), busy_timeout=BUSY_S)) as meta:
        meta.end_job(meta.begin_job(NewJob(JobKind.SCRUB, "host", 1, "x", 60.0)).id)
        assert not meta.jobs({JobState.LIVE})


def test_others_write_before_they_give_up_waiting_and_it_learns_that_it_wrote_nothing(url: str, server: Server) -> None:
    with sleeper(url) as process:
        write(url)
        said = woken(process)
    assert said.endswith("True\n"), "it should be told that it may try again"
    assert "may have been made" not in said
    write(url)


def test_one_that_may_be_long_is_waited_for(url: str) -> None:
    with sleeper(url, long=True) as process:
        with pytest.raises(MetaBackendError, match="locked by another process"):
            write(url)
        assert woken(process) == "done\n"
    write(url)


def test_readers_may_take_their_time(url: str) -> None:
    database = Database(url, "backy2_", 0.4)
    with database.write():
        pass
    with pytest.raises(ZeroDivisionError), database.write():
        raise ZeroDivisionError
    with database.read() as connection:
        time.sleep(1.5)
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()
