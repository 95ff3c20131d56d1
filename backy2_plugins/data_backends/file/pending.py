"""Blobs between put and flush: written to the staging folder, not yet durable, not yet under their names."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence

from backy2_core.api import BlobExistsError, BlobUid, DataBackendError, StoredBlob
from backy2_plugins import linux, page_cache
from backy2_plugins.data_backends.file.durability import Durability
from backy2_plugins.data_backends.file.layout import blob_path
from backy2_plugins.data_backends.file.root import StoreRoot
from backy2_plugins.data_backends.file.staging import Staging

_WRITE_BACK_BYTES = 256 * 1024
"""Blobs of this size and more start on their way to the disk at once; smaller ones are better written many at a time."""


class PendingBlobs:
    """Takes blobs, and at a flush makes all of them durable first and visible then.

    A name that ends with ``.blob`` so never stands for content that a power loss could take back. Threads: all methods
    may be called from several threads at once; blobs are taken while a flush waits for the disk.
    """

    def __init__(self, root: StoreRoot, staging: Staging, durability: Durability) -> None:
        self._root = root
        self._staging = staging
        self._durability = durability
        self._sizes: dict[BlobUid, int] = {}
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._failures = 0

    def add(self, uid: BlobUid, data: memoryview) -> None:
        """Write a blob to the staging folder."""
        if uid in self._sizes:
            raise BlobExistsError(f"blob {uid} was put already and waits to be flushed; a uid is used once")
        try:
            self._write(uid, data)
        except FileExistsError as error:
            raise BlobExistsError(f"blob {uid} was put before, or is just being put; a uid is used once") from error
        except OSError as error:
            raise self._root.failure("write", f"{self._staging.path}/{uid}", error) from error
        with self._lock:
            self._sizes[uid] = len(data)

    def open(self, uid: BlobUid) -> int | None:
        """Open a pending blob for reading; None if it is not pending, or not any more."""
        if uid not in self._sizes:
            return None
        try:
            return os.open(uid, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._staging.fd)
        except FileNotFoundError:
            return None

    def size(self, uid: BlobUid) -> int | None:
        """Size of a pending blob, or None."""
        return self._sizes.get(uid)

    def drop(self, uid: BlobUid) -> None:
        """Forget a blob, if it is pending."""
        with self._lock:
            known = self._sizes.pop(uid, None) is not None
        if known:
            self._staging.remove(uid)

    def snapshot(self) -> list[StoredBlob]:
        """All pending blobs."""
        with self._lock:
            return [StoredBlob(uid, size) for uid, size in self._sizes.items()]

    def flush(self) -> None:
        """Make durable and visible what was added before; if that fails, none of it stays.

        Flushes go one after the other. One that waited for another that failed fails too: blobs that were added before
        it may have been among the lost ones.
        """
        failures = self._failures
        with self._flushing:
            if failures != self._failures:
                raise DataBackendError(f"a flush of {self._root.path} beside this one failed; its blobs were dropped")
            batch = [blob.uid for blob in self.snapshot()]
            if batch:
                self._publish(batch)

    def _write(self, uid: BlobUid, data: memoryview) -> None:
        folder = self._staging.fd
        fd = os.open(uid, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:] if written else data)
            if written >= _WRITE_BACK_BYTES:
                page_cache.drop(fd, 0, written)
        except BaseException:
            self._staging.remove(uid)
            raise
        finally:
            os.close(fd)

    def _publish(self, batch: Sequence[BlobUid]) -> None:
        published: list[str] = []
        try:
            self._make_visible(batch, published)
        except BaseException as error:
            self._failures += 1
            self._undo(batch, published)
            if isinstance(error, OSError):
                raise self._root.failure(f"make {len(batch)} blobs durable in", "", error, final=True) from error
            raise
        with self._lock:
            for uid in batch:
                self._sizes.pop(uid, None)

    def _make_visible(self, batch: Sequence[BlobUid], published: list[str]) -> None:
        self._durability.sync_contents(self._staging.fd, batch)
        for uid in batch:
            self._rename(uid, published)
        self._durability.sync_names(sorted({os.path.dirname(path) for path in published}))

    def _rename(self, uid: BlobUid, published: list[str]) -> None:
        path = blob_path(uid)
        try:
            try:
                linux.rename_new(self._staging.fd, uid, self._root.fd, path)
            except FileNotFoundError:
                self._root.make_folders(os.path.dirname(path))
                linux.rename_new(self._staging.fd, uid, self._root.fd, path)
        except FileExistsError as error:
            raise BlobExistsError(
                f"blob {uid} is in {self._root.path} already; a stored blob is never changed"
            ) from error
        except FileNotFoundError:
            if uid in self._sizes:
                raise
            return  # deleted since the flush began
        published.append(path)

    def _undo(self, batch: Sequence[BlobUid], published: Sequence[str]) -> None:
        with self._lock:
            for uid in batch:
                self._sizes.pop(uid, None)
        for uid in batch:
            self._staging.remove(uid)
        for path in published:
            with contextlib.suppress(OSError):
                os.unlink(path, dir_fd=self._root.fd)
