"""Several hosts, each with a folder and a configuration of its own, on one database and one bucket."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import backy2_plugins.meta_backends.sql as sql
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.secret import Secret
from backy2_core.model.segment import blob_ids
from backy2_core.model.version import VersionFilter, VersionState
from tests.hosts.images import BLOCK
from tests.support.engines import settings_of
from tests.support.original_tables import connected
from tests.support.s3 import S3Server

EVERY = VersionFilter(states=frozenset(VersionState) - {VersionState.PURGED})
HOSTS = {"alpha": "wait", "beta": "refuse", "gamma": "side_by_side", "delta": "wait"}
"""Hosts by name, and what becomes of a second backup of one name on each."""
LEASE_S = 20
BRIEF_S = 2
BUSY_S = 10
"""Half of it is how long a process that was frozen while it wrote stops the others."""


class Site:
    """``database`` is the URL that this process uses, ``hosts_database`` the one of the hosts; so with the two servers."""

    def __init__(
        self,
        folder: Path,
        database: str,
        server: S3Server,
        hosts_database: str = "",
        hosts_server: S3Server | None = None,
    ) -> None:
        self.folder = folder
        self.server = server
        self.bucket = server.make_bucket()
        self._database = database
        for host in HOSTS:
            (folder / host).mkdir()
            store = (hosts_server or server).section(self.bucket)
            for kind, core, more in (
                ("usual", f"lease = {LEASE_S}", ""),
                ("brief", f"lease = {BRIEF_S}", ""),
                ("slow", f"lease = {BRIEF_S}", "bandwidth_write = 30000\n"),
                ("last", "abandon_incomplete_after = 0", ""),
            ):
                self.config(host, kind).write_text(
                    f"[backy2]\nhost_name = {host}\nblock_size = {BLOCK}\nflush_size = 1M\nworkers = 2\n{core}\n"
                    f"retry_limit = 60\nsame_name = {HOSTS[host]}\nlogfile = {folder}/{host}/log\n"
                    f"{store}{more}"
                    f"[meta_backend]\nbusy_timeout = {BUSY_S}\nengine = {(hosts_database or database).replace('%', '%%')}\n"
                )

    def config(self, host: str, kind: str = "usual") -> Path:
        """A configuration of that host: usual, brief (a short lease), slow (so too), or last (gives up what is incomplete)."""
        return self.folder / host / f"{kind}.cfg"

    def command(self, host: str, *words: str, kind: str = "usual") -> list[str]:
        """The command line of a process on that host."""
        program = [sys.executable, "-W", "error", "-X", "faulthandler", "-m", "backy2_core.cli.main"]
        return [*program, "--config", str(self.config(host, kind)), *words]

    @contextmanager
    def meta(self) -> Iterator[MetaBackend]:
        """The database, seen from here."""
        with sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(self._database))) as meta:
            yield meta

    def is_silent(self) -> bool:
        """Whether no connection to the database is in the middle of a transaction."""
        with connected(self._database) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
            return connection.exec_driver_sql(query).scalar() == 0

    def objects(self) -> set[str]:
        """The keys of all blobs in the bucket."""
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = {row["Key"] for page in pages for row in page.get("Contents", ())}
        return {key for key in keys if "/" not in key}

    def records(self) -> set[str]:
        """The uids of all blob records."""
        with connected(self._database) as connection:
            return set(connection.exec_driver_sql("SELECT uid FROM backy2_blobs").scalars())

    def referenced(self) -> set[str]:
        """The uids of all blobs that a version refers to."""
        with self.meta() as meta:
            segments = {segment for version in meta.versions(EVERY) for segment in meta.read_map(version.id)}
            ids = {blob for stored in meta.read_segments(segments).values() for blob in blob_ids(stored.data)}
            return {record.uid for record in meta.read_blobs(ids).values()}
