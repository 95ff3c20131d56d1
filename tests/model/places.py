"""Where a world keeps its database and its blobs: in its folder, or on servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import backy2_plugins.meta_backends.sql as sql
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.secret import Secret
from tests.model.image import MOST_BYTES
from tests.support.engines import open_database, open_folder_store, settings_of
from tests.support.original_tables import connected


@dataclass(frozen=True)
class Place:
    """Opens both, as a new process would, and looks into the database by another way. Sizes are those that it is quick with."""

    open_meta: Callable[[], MetaBackend]
    open_data: Callable[[], DataBackend]
    records: Callable[[], set[str]]
    """Uids of all blob records."""
    most_bytes: int = MOST_BYTES
    block_sizes: tuple[int, ...] = (512, 512, 1024, 16384)


def in_folder(folder: Path) -> Place:
    """An SQLite database and a folder store."""

    def records() -> set[str]:
        with closing(sqlite3.connect(folder / "meta.sqlite")) as connection:
            return {row[0] for row in connection.execute("SELECT uid FROM backy2_blobs")}

    return Place(lambda: open_database(folder), lambda: open_folder_store(folder), records)


def on_servers(url: str, open_data: Callable[[Path], DataBackend]) -> Callable[[Path], Place]:
    """The empty database at ``url`` of a server, and any store: with few blobs, since each takes a request."""

    def open_meta() -> MetaBackend:
        meta: MetaBackend = sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url)))
        meta.initialise()
        return meta

    def records() -> set[str]:
        with connected(url) as connection:
            return set(connection.exec_driver_sql("SELECT uid FROM backy2_blobs").scalars())

    return lambda folder: Place(open_meta, lambda: open_data(folder), records, 20 * 4096, (2048, 4096, 16384))
