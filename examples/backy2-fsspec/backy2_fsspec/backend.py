"""The store itself: blobs as files, each written whole by one call, and documents beside them."""

from __future__ import annotations

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
from backy2_fsspec.connections import Connections
from backy2_fsspec.documents import Documents
from backy2_fsspec.layout import blob_path
from backy2_fsspec.listing import stored_blobs
from backy2_fsspec.options import Options


class FsspecDataBackend(DataBackend):
    """Blobs at ``<url>/aa/bb/<uid>.blob``, documents below ``<url>/backy2/``.

    A blob has its name, and is seen by all, when :meth:`put` returns. ``options`` and ``secrets`` go to the filesystem;
    ``threads`` is the number of connections. What :meth:`flush` promises depends on the filesystem: see the README.
    """

    def __init__(
        self,
        url: str,
        options: Options | None = None,
        secrets: Options | None = None,
        *,
        writing: str = "auto",
        timeout_s: float = 60.0,
        threads: int = 4,
    ) -> None:
        self._connections = Connections(
            url, options or {}, secrets or {}, writing=writing, timeout_s=timeout_s, limit=threads
        )
        self._dialect = self._connections.dialect
        self._capabilities = DataCapabilities(threads=threads, persistent=self._dialect.persistent)
        self._documents = Documents(self._connections)
        with self._connections.translated("open the store"), self._connections.use("open the store") as fs:
            self._dialect.make_root(fs)

    @property
    def capabilities(self) -> DataCapabilities:
        """As many threads as were asked for."""
        return self._capabilities

    @property
    def location(self) -> str:
        """The URL."""
        return self._connections.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Write a blob under its name."""
        path = self._path(uid)
        if len(data) > self._capabilities.max_blob_bytes:
            limit = self._capabilities.max_blob_bytes
            raise DataBackendError(f"blob {uid} has {len(data)} bytes; {self.location} takes at most {limit}")
        action = f"write blob {uid}"
        try:
            with self._connections.use(action) as fs:
                self._dialect.create(fs, path, data)
        except FileExistsError as error:
            raise BlobExistsError(
                f"blob {uid} is in {self.location} already; a stored blob is never changed"
            ) from error
        except FileNotFoundError as error:
            raise self._connections.failure(action, error) from error

    def flush(self) -> None:
        """Make names durable on a local filesystem; nothing elsewhere, since no other can be asked."""
        self._connections.check_open()
        with self._connections.translated("flush what was written"):
            self._dialect.flush()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob."""
        path = self._path(uid)
        try:
            with self._connections.use(f"read blob {uid}") as fs:
                size = self._dialect.size_of(fs, path)
                if size > len(buffer):
                    raise BlobDamagedError(
                        f"blob {uid} in {self.location} has {size} bytes; expected at most {len(buffer)}"
                    )
                count = self._dialect.read_into(fs, path, buffer[:size])
        except FileNotFoundError as error:
            raise self._not_found(uid) from error
        if count != size:
            raise BlobDamagedError(f"blob {uid} in {self.location} ended after {count} of {size} bytes")
        return size

    def stored_size(self, uid: BlobUid) -> int:
        """Size of the blob's file."""
        path = self._path(uid)
        try:
            with self._connections.use(f"look at blob {uid}") as fs:
                return self._dialect.size_of(fs, path)
        except FileNotFoundError as error:
            raise self._not_found(uid) from error

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Remove the files of these blobs; their folders stay."""
        for uid in uids:
            path = self._path(uid)
            try:
                with self._connections.use(f"delete blob {uid}") as fs:
                    self._dialect.remove(fs, path)
            except FileNotFoundError:
                self._check_root()

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, one folder of the store in memory at a time; files that are none are passed over."""
        self._check_root()
        return stored_blobs(self._connections)

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
        """Close all connections."""
        self._connections.close()

    def _path(self, uid: BlobUid) -> str:
        return f"{self._dialect.root}/{blob_path(uid)}"

    def _not_found(self, uid: BlobUid) -> BlobNotFoundError:
        self._check_root()
        return BlobNotFoundError(f"there is no blob {uid} in {self.location}")

    def _check_root(self) -> None:
        with self._connections.translated("find the store"), self._connections.use("find the store") as fs:
            self._dialect.check_root(fs)
