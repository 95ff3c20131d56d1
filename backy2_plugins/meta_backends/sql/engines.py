"""From the URL of a database to an engine of the library: its driver, its location for messages, its file."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from backy2_core.api import MetaBackendError

_OUR_DRIVERS = {
    "postgres": ("postgresql+psycopg", "psycopg"),
    "postgresql": ("postgresql+psycopg", "psycopg"),
    "mysql": ("mysql+pymysql", "pymysql"),
    "mariadb": ("mariadb+pymysql", "pymysql"),
}
"""What a URL that names no driver means, if that driver is installed: the library's own choices are older ones."""
_WITH_CONNECT_TIMEOUT = ("psycopg", "psycopg2", "pymysql", "mysqldb")
_WITH_KEEPALIVE = ("psycopg", "psycopg2")
_KEEPALIVE = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 4, "tcp_user_timeout": 60_000}
"""A server whose machine fell, or to which the network was cut, says nothing: a minute later, not two hours, it is given up."""
_CONNECT_S = 10
_ANSWER_S = 3600
_SECRET_WORDS = ("password", "passwd", "sslpassword")


def parse_url(url: str, origin: str) -> URL:
    """Read a URL; ``origin`` says where it stands, for messages. The URL itself is in none, since it may hold a password."""
    try:
        parsed = sqlalchemy.make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise MetaBackendError(
            f"{origin} is no SQLAlchemy URL; expected something like sqlite:////path/to/file"
        ) from error
    ours, module = _OUR_DRIVERS.get(parsed.drivername, ("", ""))
    return parsed.set(drivername=ours) if module and importlib.util.find_spec(module) else parsed


def location_of(url: URL) -> str:
    """The URL for messages: without a password, wherever it stands in it."""
    secrets = {word: "***" for word in _SECRET_WORDS if word in url.query}
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def sqlite_path(url: URL) -> str | None:
    """The absolute path of the file of an SQLite database, None for any other."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise MetaBackendError(
            f"database {location_of(url)} is not a file; expected sqlite:////absolute/path or sqlite:///relative/path"
        )
    return os.path.abspath(os.path.expanduser(url.database))


def is_there(path: str) -> bool:
    """Whether the file of a database exists; an error if that cannot be said. Does not open it."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MetaBackendError(f"database {path} cannot be reached: {error.strerror}; check its folder") from error
    return True


def make_server_engine(url: URL, **options: Any) -> Engine:
    """As :func:`make_engine`, for a server: one that takes the connection and never answers, or vanishes, is given up."""
    engine = make_engine(url, pool_pre_ping=True, **options)
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(dialect: Any, record: Any, arguments: Any, parameters: Any) -> Any:
    """Connect as the URL says, and in time; what the driver cannot do with the URL's options is said without the URL."""
    _give_up_in_time(dialect, parameters)
    try:
        return dialect.connect(*arguments, **parameters)
    except (TypeError, ValueError) as error:
        raise MetaBackendError(
            f"the URL in the setting engine has an option that its driver cannot use: {error}"
        ) from error
    except OSError as error:
        files = [str(value) for value in (parameters.get("ssl") or {}).values()]
        raise MetaBackendError(
            f"the TLS options of the URL in the setting engine cannot be used ({error.strerror or error}); check"
            f" {', '.join(files) or 'them'}"
        ) from error


def _give_up_in_time(dialect: Any, parameters: Any) -> None:
    # What the URL says goes first.
    if dialect.driver in _WITH_CONNECT_TIMEOUT:
        parameters.setdefault("connect_timeout", _CONNECT_S)
    if dialect.driver in _WITH_KEEPALIVE:
        for name, value in _KEEPALIVE.items():
            parameters.setdefault(name, value)
    if dialect.driver == "pymysql":
        # Its time for connecting ends before the server has said its first word; a migration may take long.
        parameters.setdefault("read_timeout", _ANSWER_S)


def make_engine(url: URL, **options: Any) -> Engine:
    """An engine with a pool of connections that are safe to use from any thread; nothing is connected to."""
    # Parameters are hidden in messages, since they may be many thousand rows.
    try:
        return sqlalchemy.create_engine(
            url, poolclass=QueuePool, pool_size=4, max_overflow=-1, hide_parameters=True, **options
        )
    except (SQLAlchemyError, ImportError) as error:
        raise MetaBackendError(
            f"database {location_of(url)} needs a driver that cannot be loaded ({error}); install its Python package"
        ) from error
