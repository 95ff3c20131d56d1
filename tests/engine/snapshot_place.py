"""A place whose source is a device with snapshots in memory."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from backy2_core.engine.backup import backup
from backy2_core.engine.requests import BackupRequest, RestoreRequest
from backy2_core.engine.restore import restore
from backy2_core.errors import MetaBackendError
from backy2_core.model.version import VersionFilter, VersionState
from backy2_core.testing.faulty_snapshots import FaultySnapshots
from backy2_core.testing.memory_snapshots import MemoryDevice
from tests.support.engines import make_engine, open_database, open_folder_store

MEMORY = Path("/dev/shm")
BLOCK = 4096
URL = "memory://device"
EVERY = VersionFilter(states=frozenset(VersionState) - {VersionState.PURGED})


class Killed(BaseException):
    """The process is dead: nothing that it does from now on has an effect."""


class SnapshotPlace:
    """A device, and an engine that backs it up.

    ``arrivals`` are the points that the last backup passed: before and after each call of the snapshots and of the database
    that its main thread made. ``trap`` is called at each. ``faults`` are those of :class:`FaultySnapshots`.
    """

    def __init__(self, folder, content=b"", **options):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.device = MemoryDevice(content, url=URL)
        self.options = options
        self.events = []
        self.arrivals = []
        self.trap = lambda point: None
        self._dead = False
        self.faults = {}
        self._restores = 0
        self.open()

    def open(self):
        """Open database and store, as a new process would."""
        self.meta = open_database(self.folder)
        self.data = open_folder_store(self.folder)

    def close(self):
        """Close both."""
        self.meta.close()
        self.data.close()

    def reopen(self):
        """As a new process would."""
        self.close()
        self.open()

    def engine(self, **options):
        """An engine on the device."""
        more = {"sanity_check_blocks": 1000} | self.options | options
        engine = make_engine(self.meta, self.data, notify=self.events.append, device=self.device, **more)
        return dataclasses.replace(engine, meta=_Mortal(self.meta, self), open_snapshots=self._open_snapshots)

    def backup(self, snapshot=None, *, name="vm", options=None, **more):
        """Back the device up, or one of its snapshots."""
        url = URL if snapshot is None else f"{URL}@{snapshot}"
        self.arrivals.clear()
        return backup(self.engine(**(options or {})), BackupRequest(url, name, **more))

    def kill(self, at, **more):
        """Back up, killed at the first point of this name, or of this number (from 1 on).

        The point, or None if the backup came to its end before.
        """
        self.trap = lambda point: self._die() if at in (point, len(self.arrivals)) else None
        try:
            self.backup(**more)
        except Killed:
            return self.arrivals[-1]
        finally:
            self.trap = lambda point: None
            self._dead = False
        return None

    def version(self, uid):
        """The version as it is now."""
        return next(version for version in self.meta.versions(EVERY) if version.uid == uid)

    def versions(self, *states):
        """All versions in these states (every one without), oldest first."""
        found = sorted(self.meta.versions(EVERY), key=lambda version: version.id)
        return [version for version in found if not states or version.state in states]

    def restored(self, uid):
        """The content of a version that restores without damage."""
        self._restores += 1
        path = self.folder / f"restored{self._restores}"
        result = restore(self.engine(), RestoreRequest(uid, f"file://{path}"))
        assert result.damaged_blocks == 0
        content = path.read_bytes()
        path.unlink()
        return content

    def expire_leases(self):
        """Let the leases of dead jobs run out, as time would."""
        with closing(sqlite3.connect(self.folder / "meta.sqlite")) as database, database:
            database.execute("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1")

    def _open_snapshots(self, url):
        return FaultySnapshots(self.device.open_snapshots(url), arrive=self.arrive, **self.faults)

    def arrive(self, point):
        """The backup is at this point."""
        if self._dead:
            raise MetaBackendError("this process is dead")
        if threading.current_thread() is threading.main_thread():
            self.arrivals.append(point)
            self.trap(point)

    def _die(self):
        self._dead = True
        raise Killed


class _Mortal:
    """A database all of whose calls pass points."""

    def __init__(self, inner, place):
        self._inner = inner
        self._place = place

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*args, **kwargs):
            self._place.arrive(f"before {name}")
            result = value(*args, **kwargs)
            self._place.arrive(f"after {name}")
            return result

        return call
