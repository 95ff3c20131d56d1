"""The store itself: blobs and documents in a pool."""

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
from backy2_plugins.data_backends.rados.cluster import Cluster
from backy2_plugins.data_backends.rados.large import LargeBlobs
from backy2_plugins.data_backends.rados.layout import (
    DOCUMENTS,
    PARTS,
    blob_name,
    document_name,
    is_blob,
    is_document,
    uid_of_head,
)
from backy2_plugins.data_backends.rados.listing import Listing
from backy2_plugins.data_backends.rados.objects import Objects
from backy2_plugins.data_backends.rados.settings import RadosOptions


class RadosDataBackend(DataBackend):
    """Blobs as objects; see :mod:`backy2_plugins.data_backends.rados.layout`.

    What the cluster acknowledged is on all OSDs that it wants it on, so :meth:`flush` has nothing to wait for. One
    connection serves all threads.
    """

    def __init__(self, options: RadosOptions) -> None:
        self._options = options
        self._capabilities = DataCapabilities(threads=options.threads, resumes_listings=True)
        self._cluster = Cluster(options)
        self._blobs = Objects(self._cluster, options.namespace, "blob")
        self._documents = Objects(self._cluster, options.namespace + DOCUMENTS, "document")
        parts = Objects(self._cluster, options.namespace + PARTS, "part of a blob")
        self._large = LargeBlobs(self._blobs, parts, options.object_size)

    @property
    def capabilities(self) -> DataCapabilities:
        """As many threads as were asked for."""
        return self._capabilities

    @property
    def location(self) -> str:
        """Pool and namespace."""
        return self._options.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store a blob, durable on return."""
        name, limit = blob_name(uid), self._capabilities.max_blob_bytes
        if len(data) > limit:
            raise DataBackendError(f"blob {uid} has {len(data)} bytes; {self.location} takes at most {limit}")
        if len(data) <= self._options.object_size:
            made = self._blobs.create(name, data)
        else:
            # The other way round nobody looks: a uid is used once, and that would cost each small blob a question.
            made = self._blobs.sizes([name]) == [None] and self._large.put(uid, data)
        if not made:
            raise BlobExistsError(f"blob {uid} is in {self.location} already; a stored blob is never changed")

    def flush(self) -> None:
        """Nothing is left to be done."""
        self._cluster.check_open()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob."""
        size = self._blobs.read(blob_name(uid), buffer)
        if size is None:
            size = self._large.get(uid, buffer)
        if size is None:
            raise self._not_found(uid)
        if size > len(buffer):
            raise BlobDamagedError(f"blob {uid} in {self.location} has {size} bytes; expected at most {len(buffer)}")
        return size

    def stored_size(self, uid: BlobUid) -> int:
        """Length of a blob."""
        size = self._blobs.sizes([blob_name(uid)])[0]
        if size is None:
            size = self._large.size(uid)
        if size is None:
            raise self._not_found(uid)
        return size

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Remove blobs, many at once."""
        for uid in self._blobs.remove([blob_name(uid) for uid in uids]):
            self._large.delete(uid)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob; objects that are none are passed over. Removes what killed writers of large blobs left a day ago."""
        return Listing(self._blobs, self._stored)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document, replacing one of that name."""
        self._documents.replace(document_name(name), memoryview(data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document if there is none of that name."""
        return self._documents.create(document_name(name), memoryview(data))

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._documents.read_whole(document_name(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents that begin with ``prefix``."""
        return Listing(
            self._documents, lambda names: [name for name in names if name.startswith(prefix) and is_document(name)]
        )

    def delete_document(self, name: str) -> None:
        """Delete a document."""
        self._documents.remove([document_name(name)])

    def close(self) -> None:
        """Disconnect."""
        self._cluster.close()

    def _stored(self, names: Sequence[str]) -> list[StoredBlob]:
        plain = [name for name in names if is_blob(name)]
        heads = [uid for name in names if (uid := uid_of_head(name)) is not None]
        found = [
            *zip(plain, self._blobs.sizes(plain), strict=True),
            *((uid, self._large.listed_size(uid)) for uid in heads),
        ]
        return [StoredBlob(BlobUid(uid), size) for uid, size in found if size is not None]

    def _not_found(self, uid: BlobUid) -> BlobNotFoundError:
        return BlobNotFoundError(f"there is no blob {uid} in {self.location}")
