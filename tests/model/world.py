"""The engine beside the model: a dictionary of what each version must hold."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from backy2_core.engine.backup import backup
from backy2_core.engine.context import Engine
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, RestoreRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.retention import remove
from backy2_core.errors import DataBackendError, NotFoundError, RefusedError
from backy2_core.model.job import JobState
from backy2_core.model.segment import blob_ids
from backy2_core.model.version import VersionFilter, VersionState
from backy2_core.testing.faults import FaultyDataBackend
from tests.model.image import Change, Image
from tests.model.places import Place
from tests.support.engines import make_engine

EVERY = VersionFilter(states=frozenset(VersionState) - {VersionState.PURGED})
NAMES = ("one", "two")


@dataclass
class Kept:
    """What the model knows of a version."""

    request: BackupRequest
    content: bytes
    age: int
    complete: bool = True
    protected: bool = False


@dataclass
class World:
    """A folder with an image, an engine, and the model. Every random choice comes from ``rng``."""

    folder: Path
    rng: random.Random
    place: Place
    kept: dict[str, Kept] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.image = Image(self.folder / "image", self.rng, self.place.most_bytes)
        self.open()

    def open(self) -> None:
        """Open database and store, as a new process would."""
        self.meta = self.place.open_meta()
        self.data = FaultyDataBackend(self.place.open_data())

    def close(self) -> None:
        """Close database and store."""
        self.meta.close()
        self.data.close()

    def engine(self, **options) -> Engine:
        """An engine with other options now and then."""
        if self.rng.random() < 0.4:
            options = {
                "block_size": self.rng.choice(self.place.block_sizes),
                "hash_function": self.rng.choice(["blake3", "sha256", "sha512"]),
                "deduplication": self.rng.random() < 0.8,
                "buffer_bytes": self.rng.choice([1, 65536, 2**24]),
                "flush_bytes": self.rng.choice([1, 65536, 2**28]),
            } | options
        return make_engine(self.meta, self.data, **options)

    def pick(self, *, complete: bool = True) -> str | None:
        """The uid of a version, or None if there is none."""
        uids = [uid for uid, kept in self.kept.items() if kept.complete is complete]
        return self.rng.choice(uids) if uids else None

    # -- backups

    def request(self) -> tuple[str, BackupRequest]:
        """A new backup of some kind."""
        kind = self.rng.choice(["plain", "hints+base", "hints+base", "hints+base", "hints", "base"])
        base = self.pick() if "base" in kind else None
        if "base" in kind and base is None:
            kind = "plain"
        hints = None
        if kind == "hints+base":
            hints = parse_hints(self.noisy(self.within(base, self.image.hints_since(self.kept[base].age))))
        elif kind == "hints":
            hints = parse_hints(self.noisy(self.image.hints_since(0)))
        name = self.rng.choice(NAMES)
        return kind, BackupRequest(f"file://{self.image.path}", name, hints=hints, base=base)

    def within(self, base: str, hints: list[Change]) -> list[Change]:
        """These hints, at times cut to the size of the base: what a source grew by is read without a hint."""
        size = len(self.kept[base].content)
        if self.rng.random() < 0.5:
            return hints
        return [Change(h.offset, min(h.length, size - h.offset), h.exists) for h in hints if h.offset < size]

    def noisy(self, changes: list[Change]) -> str:
        """Hints for these changes, and some that are true but not needed, in any order and on one line or many."""
        size, hints = len(self.image.content), list(changes)
        for _ in range(self.rng.randint(0, 3)):
            offset = self.rng.randint(0, size)
            length = self.rng.randint(0, min(size - offset, 3000))
            zeros = not any(self.image.content[offset : offset + length])
            hints.append(Change(offset, length, not zeros))
        self.rng.shuffle(hints)
        words = (True, "true"), (False, "false")
        rows = [
            {"offset": h.offset, "length": h.length, "exists": self.rng.choice(words[0 if h.exists else 1])}
            for h in hints
        ]
        return json.dumps(rows, indent=self.rng.choice([None, 2]))

    def back_up(self) -> None:
        """A backup that comes to its end."""
        kind, request = self.request()
        result = backup(self.engine(), request)
        self.done[f"backup {kind}"] += 1
        self.finished(result, request)
        counts = result.statistics.counts
        settled = counts.blocks_written + counts.blocks_dedup + counts.blocks_sparse + counts.blocks_kept
        assert settled == result.version.geometry.count, f"the counts do not add up: {counts}"

    def finished(self, result, request: BackupRequest) -> None:
        """Take note of a version that must be whole."""
        version = result.version
        assert version.state is VersionState.VALID
        assert version.geometry.size_bytes == len(self.image.content)
        self.kept[version.uid] = Kept(request, bytes(self.image.content), self.image.age)

    def interrupt(self) -> None:
        """A backup that is interrupted at a random point, if it does not end before."""
        kind, request = self.request()
        self.attempt(request, f"interrupted {kind}")
        while self.rng.random() < 0.5:
            uid = list(self.kept)[-1] if self.kept else None
            if uid is None or self.kept[uid].complete or self.kept[uid].age != self.image.age:
                return
            self.resume(uid)

    def attempt(self, request: BackupRequest, label: str) -> None:
        """Carry out a backup into which an error strikes."""
        before = {version.uid for version in self.meta.versions(EVERY)}
        error = self.rng.choice([KeyboardInterrupt(), DataBackendError("the store is gone")])
        method = self.rng.choice(["put", "put", "flush", "write_document"])
        call = self.rng.choice([1, 2, 5, 20, 60]) if method == "put" else 1
        self.data.fail(method, error, call=call, times=10**6, after=self.rng.random() < 0.3)
        try:
            result = backup(self.engine(), request)
        except (KeyboardInterrupt, DataBackendError):
            self.done[label] += 1
        else:
            self.done["interrupted too late"] += 1
            self.finished(result, request)
        finally:
            self.data.heal()
        assert not self.meta.jobs({JobState.LIVE}), "a lease was left"
        assert self.objects() <= self.records(), "objects without a record were left"
        for version in self.meta.versions(EVERY):
            if version.uid not in before | set(self.kept):
                assert version.state is VersionState.INCOMPLETE
                self.kept[version.uid] = Kept(request, bytes(self.image.content), self.image.age, complete=False)

    def resume(self, uid: str | None = None) -> None:
        """Continue an interrupted backup, which may be interrupted again; refused where the image changed since."""
        uid = uid or self.pick(complete=False)
        if uid is None:
            return self.interrupt()
        kept = self.kept[uid]
        old = kept.request
        request = BackupRequest(old.source, old.name, hints=old.hints, base=old.base, resume=uid)
        base = self.kept.get(old.base) if old.base else None
        if kept.age != self.image.age or (old.base and base is None):
            return self.refused(request)
        if self.rng.random() < 0.3:
            self.attempt(request, "interrupted again")
        else:
            self.finished(backup(self.engine(), request), request)
            self.done["continued"] += 1
        return None

    def refused(self, request: BackupRequest) -> None:
        """A backup that cannot be continued, and is given up."""
        try:
            backup(self.engine(), request)
        except (NotFoundError, RefusedError):
            self.done["continue refused"] += 1
        else:
            raise AssertionError("continued although the source changed or the base is gone")
        self.remove(str(request.resume))

    # -- what the store and the database hold

    def remove(self, uid: str) -> None:
        """Remove a version from both, which must be refused if it is protected."""
        try:
            remove(make_engine(self.meta, self.data), get_version(self.meta, uid), force=True)
        except RefusedError:
            assert self.kept[uid].protected
            self.done["rm refused"] += 1
            return
        assert not self.kept[uid].protected
        del self.kept[uid]
        self.done["rm"] += 1

    def compare(self, uid: str) -> None:
        """Restore a version in some way and compare every byte."""
        content, path = self.kept[uid].content, self.folder / "restored"
        path.unlink(missing_ok=True)
        over = self.rng.random() < 0.5
        if over:
            path.write_bytes(b"#" * (len(content) + self.rng.choice([0, 0, 1, 5000])))
        request = RestoreRequest(uid, f"file://{path}", sparse=self.rng.random() < 0.5, force=over)
        result = restore(self.engine(), request)
        assert result.damaged_blocks == 0, f"version {uid} has damage: {result.damage[:3]}"
        restored = path.read_bytes()
        if not over:
            assert len(restored) == len(content)
        differing = next((n for n, (a, b) in enumerate(zip(restored, content, strict=False)) if a != b), None)
        assert restored[: len(content)] == content, f"version {uid} differs from byte {differing} on"
        self.done[f"restore{' sparse' if request.sparse else ''}{' over garbage' if over else ''}"] += 1

    def objects(self) -> set[str]:
        """Uids of the blobs in the store."""
        return {blob.uid for blob in self.data.inner.list_blobs()}

    def records(self) -> set[str]:
        """Uids of the blob records."""
        return self.place.records()

    def referenced(self) -> set[str]:
        """Uids of the blobs that a map refers to."""
        segments = {segment for version in self.meta.versions(EVERY) for segment in self.meta.read_map(version.id)}
        ids = {blob for stored in self.meta.read_segments(segments).values() for blob in blob_ids(stored.data)}
        return {record.uid for record in self.meta.read_blobs(ids).values()}
