"""A place to work in: a folder with an image, a database and a store that can be damaged and made to fail."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from backy2_core.engine.backup import backup
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, CleanupRequest, RestoreRequest, ScrubRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.scrub import scrub
from backy2_core.model.job import JobState
from backy2_core.model.version import VersionFilter, VersionState
from backy2_core.testing.faults import FaultyDataBackend
from tests.support.engines import make_engine, open_database, open_folder_store

BLOCK = 4096
ALL = VersionFilter(states=frozenset(VersionState) - {VersionState.PURGED})


def image(letters, tail=""):
    """A block of each letter in turn, where a full stop is a block of zeros; at the end some bytes of ``tail``."""
    return b"".join(bytes(BLOCK) if letter == "." else letter.encode() * BLOCK for letter in letters) + tail.encode()


def numbered(count, seed=0):
    """``count`` blocks that all differ."""
    return b"".join(b"%08d" % (seed * 1_000_000 + n) * (BLOCK // 8) for n in range(count))


def hint(block, count=1, exists=True):
    """One hint over whole blocks."""
    return {"offset": block * BLOCK, "length": count * BLOCK, "exists": exists}


class Place:
    """Everything that one test works with. ``data`` fails as ordered; ``events`` holds what a listener was told."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.image = folder / "image"
        self.events = []
        self.options = options
        self._restores = 0
        self.open()

    def open(self):
        """Open database and store, as a new process would."""
        self.meta = open_database(self.folder)
        self.data = FaultyDataBackend(open_folder_store(self.folder))
        self.engine = self.engine_with()

    def close(self):
        """Close both."""
        self.meta.close()
        self.data.close()

    def engine_with(self, steps=(), make=None, meta=None, **options):
        """Another engine on the same database and store."""
        more = {"make": make} if make else {}
        return make_engine(
            meta or self.meta, self.data, steps=steps, notify=self.events.append, **more, **self.options | options
        )

    def write(self, content):
        """Replace the image."""
        self.image.write_bytes(content)
        return content

    def backup(self, content=None, *, name="vm", hints=None, engine=None, **more):
        """Back up the image, which first gets this content if one is given."""
        if content is not None:
            self.write(content)
        hints = hints if hints is None or isinstance(hints, str) else json.dumps(hints)
        hints = hints if hints is None else parse_hints(hints)
        request = BackupRequest(f"file://{self.image}", name, hints=hints, **more)
        return backup(engine or self.engine, request)

    def uid(self, content=None, **more):
        """Back up, and return the version's uid."""
        return self.backup(content, **more).version.uid

    def target(self):
        """A path where nothing is yet."""
        self._restores += 1
        return self.folder / f"restored{self._restores}"

    def restore(self, uid, *, engine=None, path=None, **more):
        """Restore to a new file; the result and the file's content."""
        path = path or self.target()
        result = restore(engine or self.engine, RestoreRequest(uid, f"file://{path}", **more))
        return result, path.read_bytes()

    def restored(self, uid, **more):
        """The content of a version that restores without damage."""
        result, content = self.restore(uid, **more)
        assert result.damaged_blocks == 0
        return content

    def scrub(self, uid, *, engine=None, source=None, percent=100):
        """Scrub a version; with ``source=True`` against the image."""
        url = f"file://{self.image}" if source else None
        return scrub(engine or self.engine, ScrubRequest(uid, url, percent))

    def cleanup(self, *, engine=None, **more):
        """Clean up."""
        return cleanup(engine or self.engine, CleanupRequest(**more))

    def version(self, uid):
        """The version as the database has it now."""
        return get_version(self.meta, uid)

    def state(self, uid):
        """The state of a version, removed ones included."""
        return next(v.state for v in self.meta.versions(ALL) if v.uid == uid)

    def versions(self):
        """All versions in any state."""
        return list(self.meta.versions(ALL))

    def live_jobs(self):
        """Jobs that hold a lease."""
        return self.meta.jobs({JobState.LIVE})

    def sql(self, statement, *values):
        """Read or edit the database behind everybody's back."""
        with closing(sqlite3.connect(self.folder / "meta.sqlite")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def table(self, name):
        """The full name of a table."""
        names = [row[0] for row in self.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return next(n for n in names if n.endswith(f"_{name}") or n == name)

    def objects(self):
        """Uids of the blobs in the store."""
        return {blob.uid for blob in self.data.inner.list_blobs()}

    def records(self):
        """Uids of the blob records."""
        return {row[0] for row in self.sql(f"SELECT uid FROM {self.table('blobs')}")}

    def blob_file(self, uid):
        """Path of a blob's file."""
        return self.folder / "data" / uid[:2] / uid[2:4] / f"{uid}.blob"

    def blob_of(self, content):
        """Uid of the one blob with this content."""
        found = [uid for uid in self.objects() if self.blob_file(uid).read_bytes() == content]
        assert len(found) == 1
        return found[0]

    def damage(self, content, new):
        """Replace the bytes of the blob with this content; None deletes it. Returns its uid."""
        path: Path = self.blob_file(uid := self.blob_of(content))
        path.chmod(0o600)
        path.unlink()
        if new is not None:
            path.write_bytes(new)
        return uid


def counts_of(result):
    """The statistics of a backup as (read, written, dedup, sparse, kept) blocks."""
    counts = result.statistics.counts
    kinds = ("read", "written", "dedup", "sparse", "kept")
    return tuple(getattr(counts, f"blocks_{kind}") for kind in kinds)


def bytes_of(result):
    """The same in bytes."""
    counts = result.statistics.counts
    return tuple(getattr(counts, f"bytes_{kind}") for kind in ("read", "written", "dedup", "sparse", "kept"))


def edited(row, **changes):
    """A frozen value with other fields."""
    return dataclasses.replace(row, **changes)
