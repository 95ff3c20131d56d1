"""A scratch area in a live store: names that nobody else has, and that are known again after an interruption.

Blobs have uids of a reserved form: what every uid has in the place of a job's token begins with ``c4ecc4ec`` here. To a
cleanup they are objects that no job of the database put, which it leaves alone. Documents stand below ``live-check/``; the
first one says that the check is under way, so that a later one finds what an interrupted one has left.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from backy2_core.contracts.data_backend import DataBackend, StoredBlob
from backy2_core.errors import BlobNotFoundError, RefusedError
from backy2_core.model.blob import BlobUid, JobToken, blob_uid
from backy2_core.testing.live import Broken, Skipped, expect

log = logging.getLogger(__name__)

RESERVED = "c4ecc4ec"
"""How the token within the uid of every blob of a check begins."""
FOLDER = "live-check/"
MOST_BLOBS = 256
"""More uids one check never uses; so what it put is known by its token and its time alone."""
LEFT_BEHIND_MINUTES = 24 * 60
"""A check of this age is over, and what is left of it may be removed."""
LISTING_S = 60.0

_RUN = re.compile(rf"{FOLDER}({RESERVED}[0-9a-f]{{8}})-([0-9a-f]{{1,10}})/")
_SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Run:
    """One check: its token, and the minute since 1970 at which it began, by the clock of its host."""

    token: JobToken
    minute: int

    @property
    def folder(self) -> str:
        """What the names of its documents begin with."""
        return f"{FOLDER}{self.token}-{self.minute:x}/"

    def uid(self, number: int) -> BlobUid:
        """Its ``number``-th uid."""
        return blob_uid(self.token, self.minute * MOST_BLOBS + number)


def is_scratch(uid: str) -> bool:
    """True for the uid of a blob that a check has put."""
    return len(uid) == 32 and uid[4:].startswith(RESERVED)


class StoreScratch:
    """The store, open, with a room of its own for one check. Leaving it removes all that was put.

    Raises :class:`RefusedError` for a store that cannot be read. ``open_store`` opens the store once more at each call.
    """

    def __init__(self, open_store: Callable[[], DataBackend], *, listing_s: float = LISTING_S) -> None:
        self.open_store = open_store
        self.store = open_store()
        self.run = Run(JobToken(RESERVED + secrets.token_hex(4)), int(time.time() // 60))
        self._listing_s = listing_s
        self._used = 0
        self._before: dict[BlobUid, bytes] = {}

    def __enter__(self) -> Self:
        try:
            if not self.store.capabilities.readable:
                raise RefusedError(
                    f"The store {self.store.location} gives nothing back (it declares readable=False), so no promise can be"
                    " checked on it."
                )
            self._remove_leftovers()
            self.store.write_document(f"{self.run.folder}run", b"a check of this store is under way\n")
            self._before = self._sample()
        except BaseException:
            self.store.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.remove()
        except Exception as caught:  # whatever a stranger's code raises; the check has reported it, or was interrupted
            log.warning(
                "%s: what a check has put is still there: %s; a check after a day removes it", self.run.folder, caught
            )
        finally:
            self.store.close()

    def new_uid(self) -> BlobUid:
        """A uid of this check that was not used yet."""
        expect(self._used < MOST_BLOBS, f"the check itself is wrong: it needs more than {MOST_BLOBS} blobs")
        self._used += 1
        return self.run.uid(self._used - 1)

    def put(self, size: int = 1000, store: DataBackend | None = None) -> BlobUid:
        """Put a blob of a new uid, with the bytes that follow from it."""
        uid = self.new_uid()
        (store or self.store).put(uid, memoryview(bytearray(content_of(uid, size))))
        return uid

    def read(self, uid: BlobUid, room: int = 64 * 1024, store: DataBackend | None = None) -> bytes:
        """The bytes of a blob of at most ``room`` bytes."""
        buffer = bytearray(room)
        length = (store or self.store).get(uid, memoryview(buffer))
        expect(0 <= length <= room, f"get returned {length} for a buffer of {room} bytes")
        return bytes(buffer[:length])

    def listed(self) -> list[StoredBlob]:
        """What a listing of the whole store says of this check's blobs. Gives up a listing that takes too long."""
        mine = {self.run.uid(number) for number in range(self._used)}
        until, found = time.monotonic() + self._listing_s, []
        for count, row in enumerate(self.store.list_blobs()):
            if row.uid in mine:
                found.append(row)
            if count % 1000 == 0 and time.monotonic() > until:
                raise Skipped(f"the store holds many blobs: the listing was given up after {self._listing_s:g} seconds")
        return found

    def remove(self) -> None:
        """Delete all that this check has put; that again does nothing."""
        self._remove(self.run, self._used)

    def expect_removed(self) -> None:
        """Remove everything, and look whether it is gone."""
        self.remove()
        for number in range(self._used):
            uid = self.run.uid(number)
            try:
                self.store.stored_size(uid)
            except BlobNotFoundError:
                continue
            raise Broken(f"the blob {uid} is still there after it was deleted")
        left = list(self.store.list_documents(self.run.folder))
        expect(not left, f"documents are still there after they were deleted: {', '.join(left)}")

    def expect_untouched(self) -> None:
        """Look whether a few blobs that were there before are as they were."""
        if not self._before:
            raise Skipped("there were no blobs before")
        for uid, before in self._before.items():
            try:
                now = self._fingerprint(uid)
            except BlobNotFoundError as error:
                raise Broken(
                    f"the blob {uid} was there before and is gone, unless a cleanup ran beside this"
                ) from error
            expect(now == before, f"the blob {uid} was there before, and has other bytes now")

    def _sample(self) -> dict[BlobUid, bytes]:
        found: dict[BlobUid, bytes] = {}
        for row in self.store.list_blobs():
            if len(found) == _SAMPLE:
                break
            if not is_scratch(row.uid) and row.stored_size <= self.store.capabilities.max_blob_bytes:
                try:
                    found[row.uid] = self._fingerprint(row.uid)
                except BlobNotFoundError:
                    continue  # a cleanup runs beside this
        return found

    def _fingerprint(self, uid: BlobUid) -> bytes:
        return hashlib.sha256(self.read(uid, max(1, self.store.stored_size(uid)))).digest()

    def _remove_leftovers(self) -> None:
        for name in list(self.store.list_documents(FOLDER)):
            match = _RUN.match(name)
            if match and int(match[2], 16) < self.run.minute - LEFT_BEHIND_MINUTES:
                self._remove(Run(JobToken(match[1]), int(match[2], 16)), MOST_BLOBS)

    def _remove(self, run: Run, blobs: int) -> None:
        self.store.delete([run.uid(number) for number in range(blobs)])
        # What says that there may be blobs goes last.
        names = sorted(self.store.list_documents(run.folder), key=lambda name: name == f"{run.folder}run")
        for name in names:
            self.store.delete_document(name)


def content_of(uid: str, size: int) -> bytes:
    """Bytes that follow from the uid, so that a reader can tell whether they are whole."""
    return hashlib.shake_128(uid.encode()).digest(size)
