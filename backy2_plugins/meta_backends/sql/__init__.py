"""Meta backend ``sql``: the database through SQLAlchemy Core, with SQLite as the embedded default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from backy2_core.api import ConfigError, MetaBackend, OriginalDatabase, Secret, Setting, Settings, SettingType, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The keys of the section of this plugin."""
    return (
        Setting(
            name="engine",
            type=SettingType.SECRET,
            default=None,
            help="SQLAlchemy URL of the database, such as sqlite:////var/lib/backy2/backy2.sqlite,"
            " postgresql://USER:PASSWORD@HOST/DATABASE, or mysql://USER:PASSWORD@HOST/DATABASE for MariaDB. A server needs its"
            " driver, backy2[postgresql] or backy2[mysql]; see docs/postgresql.md",
            required=True,
        ),
        Setting(
            name="table_prefix",
            type=SettingType.TEXT,
            default="backy2_",
            help="What the names of all tables begin with, so that they can share a database with other programs",
        ),
        Setting(
            name="busy_timeout",
            type=SettingType.DURATION,
            default=60.0,
            help="How long to wait while another process writes to the database",
            minimum=0,
        ),
    )


@hookimpl
def backy2_open_meta_backend(settings: Settings) -> MetaBackend:
    """Open the database of the ``engine`` setting; nothing is connected to before the first call."""
    from backy2_plugins.meta_backends.sql.backend import SqlMetaBackend
    from backy2_plugins.meta_backends.sql.database import Database

    return SqlMetaBackend(Database(_engine_url(settings), settings["table_prefix"], settings["busy_timeout"]))


@hookimpl
def backy2_open_original(settings: Settings, url: str | None) -> OriginalDatabase:
    """Connect to the original's database, for reading only: the one of ``url``, else the one of the ``engine`` setting."""
    from backy2_plugins.meta_backends.sql.original import open_original

    if url is not None:
        return open_original(url, "the URL of the original's database", settings["busy_timeout"])
    return open_original(_engine_url(settings), "the setting engine of the meta backend", settings["busy_timeout"])


@hookimpl
def backy2_move_metadata(
    settings: Settings, origin: str, destination: str, tell: Callable[[int, int], None]
) -> Mapping[str, int]:
    """Move all rows from the database of one URL to that of another; both have the configured table_prefix."""
    from backy2_plugins.meta_backends.sql.database import Database
    from backy2_plugins.meta_backends.sql.moving import move

    prefix, busy_timeout_s = settings["table_prefix"], settings["busy_timeout"]
    with (
        closing(Database(origin, prefix, busy_timeout_s)) as old,
        closing(Database(destination, prefix, busy_timeout_s)) as new,
    ):
        return move(old, new, tell)


def _engine_url(settings: Settings) -> str:
    engine = settings["engine"]
    if not isinstance(engine, Secret):
        raise ConfigError("the meta backend sql needs the setting engine, the SQLAlchemy URL of its database")
    return engine.reveal()
