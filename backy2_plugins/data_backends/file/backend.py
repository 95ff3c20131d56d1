"""The store itself: blobs as files, written in batches, read past the page cache."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from backy2_core.api import (
    BlobDamagedError,
    BlobExistsError,
    BlobNotFoundError,
    BlobUid,
    DataBackend,
    DataBackendError,
    DataCapabilities,
    StoredBlob,
)
from backy2_plugins import page_cache
from backy2_plugins.data_backends.file import durability
from backy2_plugins.data_backends.file.documents import Documents
from backy2_plugins.data_backends.file.layout import blob_path
from backy2_plugins.data_backends.file.listing import stored_blobs
from backy2_plugins.data_backends.file.pending import PendingBlobs
from backy2_plugins.data_backends.file.root import StoreRoot
from backy2_plugins.data_backends.file.staging import Staging, remove_abandoned


class FileDataBackend(DataBackend):
    """Blobs at ``<path>/aa/bb/<uid>.blob``, documents below ``<path>/backy2/``.

    The folder is made, for the owner only, if its parent exists. A store on a read-only filesystem can be opened and read.
    Opening removes what killed writers left behind. ``flush_method`` is "syncfs" or "fsync".
    """

    def __init__(self, path: str, *, threads: int = 2, flush_method: str = "syncfs") -> None:
        self._capabilities = DataCapabilities(threads=threads)
        self._root = StoreRoot(path)
        self._staging = Staging(self._root)
        self._pending = PendingBlobs(self._root, self._staging, durability.choose(self._root, flush_method))
        self._documents = Documents(self._root, self._staging)
        remove_abandoned(self._root)

    @property
    def capabilities(self) -> DataCapabilities:
        """As many threads as were asked for."""
        return self._capabilities

    @property
    def location(self) -> str:
        """The folder."""
        return self._root.path

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Write a blob beside the others; :meth:`flush` gives it its name."""
        path = blob_path(uid)
        if len(data) > self._capabilities.max_blob_bytes:
            limit = self._capabilities.max_blob_bytes
            raise DataBackendError(f"blob {uid} has {len(data)} bytes; {self.location} takes at most {limit}")
        # A cheap look that finds most mistakes early; only the renaming in flush decides.
        if os.access(path, os.F_OK, dir_fd=self._root.fd):
            raise BlobExistsError(f"blob {uid} is in {self.location} already; a stored blob is never changed")
        self._pending.add(uid, data)

    def flush(self) -> None:
        """Make all blobs durable, then give them their names, then make the names durable.

        If it fails, its blobs are dropped, and the store can be used on.
        """
        self._root.check_open()
        self._pending.flush()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob; leaves the page cache as it was."""
        path = blob_path(uid)
        fd = self._open(uid, path)
        try:
            size = os.fstat(fd).st_size
            if size > len(buffer):
                raise BlobDamagedError(f"{self.location}/{path} has {size} bytes; expected at most {len(buffer)}")
            page_cache.stop_read_ahead(fd)
            if page_cache.read_through(fd, 0, buffer[:size]) != size:
                raise BlobDamagedError(f"{self.location}/{path} became shorter while it was read")
            return size
        except OSError as error:
            raise self._root.failure("read", path, error) from error
        finally:
            os.close(fd)

    def stored_size(self, uid: BlobUid) -> int:
        """Size of the blob's file."""
        path = blob_path(uid)
        size = self._pending.size(uid)
        if size is None and (found := self._stat(path)) is not None:
            size = found.st_size
        if size is None:
            raise self._not_found(uid)
        return size

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Remove the files of these blobs; their folders stay."""
        for uid in uids:
            path = blob_path(uid)
            self._pending.drop(uid)
            try:
                os.unlink(path, dir_fd=self._root.fd)
            except FileNotFoundError:
                self._root.check_present()
            except OSError as error:
                raise self._root.failure("delete", path, error) from error

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob; files that are none are passed over."""
        pending = self._pending.snapshot()
        yield from pending
        seen = {blob.uid for blob in pending}
        yield from (blob for blob in stored_blobs(self._root) if blob.uid not in seen)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document, replacing one of that name."""
        self._documents.write(name, data)

    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document if there is none of that name."""
        return self._documents.create(name, data)

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._documents.read(name)

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents that begin with ``prefix``."""
        return self._documents.names(prefix)

    def delete_document(self, name: str) -> None:
        """Delete a document."""
        self._documents.delete(name)

    def close(self) -> None:
        """Drop what was not flushed, and let go of the folder."""
        self._staging.close()
        self._root.close()

    def _open(self, uid: BlobUid, path: str) -> int:
        try:
            fd = self._pending.open(uid)
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root.fd) if fd is None else fd
        except FileNotFoundError as error:
            raise self._not_found(uid) from error
        except OSError as error:
            raise self._root.failure("open", path, error) from error

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.stat(path, dir_fd=self._root.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._root.failure("look at", path, error) from error

    def _not_found(self, uid: BlobUid) -> BlobNotFoundError:
        self._root.check_present()
        return BlobNotFoundError(f"there is no blob {uid} in {self.location}")
