"""A PostgreSQL whose machine fell without a word is given up after a minute, not after the hours of the system's defaults."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from backy2_plugins.meta_backends.sql.database import Database
from tests.support.proxy import Proxy
from tests.support.servers import PASSWORD, USER, Server

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    """The server behind TCP: options of unix sockets would be none."""
    with Proxy(str(postgresql.folder / postgresql.socket)) as proxy:
        yield f"postgresql://{USER}:{PASSWORD}@{proxy.host}:{proxy.port}/postgres"


def options_of(url: str) -> tuple[int, int]:
    """How many seconds of silence it takes until the system asks, and until what was sent and not acknowledged is given up."""
    database = Database(url, "backy2_", 1.0)
    try:
        with database.transaction(database._engine) as connection:
            descriptor = connection.connection.dbapi_connection.fileno()
            with socket.socket(fileno=descriptor) as made:
                idle = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                unacknowledged = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                made.detach()
    finally:
        database.close()
    return idle, unacknowledged // 1000


def test_the_system_asks_after_a_silence_whether_the_server_is_there(url: str) -> None:
    assert options_of(url) == (20, 60)


def test_the_url_may_say_otherwise(url: str) -> None:
    assert options_of(f"{url}?keepalives_idle=300&tcp_user_timeout=5000") == (300, 5)
