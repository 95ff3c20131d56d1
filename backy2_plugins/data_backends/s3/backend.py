"""The store itself: each blob one object, whose key is the prefix and its uid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backy2_core.api import (
    BlobExistsError,
    BlobNotFoundError,
    BlobUid,
    DataBackend,
    DataBackendError,
    DataCapabilities,
    StoredBlob,
)
from backy2_plugins.data_backends.s3.bucket import Bucket
from backy2_plugins.data_backends.s3.conditional import ConditionalWrites
from backy2_plugins.data_backends.s3.deletion import delete_objects
from backy2_plugins.data_backends.s3.layout import DOCUMENTS, blob_key, document_key, is_blob, is_document
from backy2_plugins.data_backends.s3.listing import Listing
from backy2_plugins.data_backends.s3.options import S3Options


class S3DataBackend(DataBackend):
    """Blobs at ``<prefix><uid>``, documents below ``<prefix>backy2/``. Nothing is asked of the server before it is used.

    A server must show an object that was put to every reader at once, in listings too. Each blob is one put request, so
    there is never a part of one, and no unfinished upload is left behind.
    """

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._capabilities = DataCapabilities(threads=max(options.reads, options.writes), resumes_listings=True)
        self._bucket = Bucket(options)
        self._conditional = ConditionalWrites(self._bucket, options.conditional_writes)

    @property
    def capabilities(self) -> DataCapabilities:
        """As many threads as were asked for."""
        return self._capabilities

    @property
    def location(self) -> str:
        """URL of the server, bucket and prefix."""
        return self._options.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store a blob; it is durable on return. A server without conditional writes overwrites one of that uid."""
        key = blob_key(uid)
        if len(data) > self._capabilities.max_blob_bytes:
            limit = self._capabilities.max_blob_bytes
            raise DataBackendError(
                f"blob {uid} has {len(data)} bytes; {self.location} takes at most {limit}; use a smaller block_size"
            )
        only_new = self._conditional.are_supported()
        if not self._bucket.put(key, data, only_new=only_new, storage_class=self._options.storage_class):
            raise BlobExistsError(f"blob {uid} is in {self.location} already; a stored blob is never changed")

    def flush(self) -> None:
        """Nothing is left to be made durable."""
        self._bucket.reach()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob."""
        size = self._bucket.get_into(blob_key(uid), buffer)
        if size is None:
            raise self._not_found(uid)
        return size

    def stored_size(self, uid: BlobUid) -> int:
        """Length of the blob's object."""
        size = self._bucket.size(blob_key(uid))
        if size is None:
            raise self._not_found(uid)
        return size

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Delete these blobs. Raises :class:`BlobsKeptError` for those that the server keeps, when all were tried."""
        for uid in uids:
            blob_key(uid)
        delete_objects(self._bucket, uids)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob; objects that are none are passed over."""
        return Listing(self._bucket, "", _blob, flat=True)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document, replacing one of that name."""
        self._bucket.put(document_key(name), data)

    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document if there is none of that name. Atomic only where the server has conditional writes.

        Elsewhere two callers at the same moment may both be told that they made it, and the last one's text stays.
        """
        key = document_key(name)
        if self._conditional.are_supported():
            return self._bucket.put(key, data, only_new=True)
        return self._bucket.get(key) is None and self._bucket.put(key, data) and self._bucket.get(key) == data

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._bucket.get(document_key(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents that begin with ``prefix``."""
        return Listing(self._bucket, DOCUMENTS + prefix, _document, flat=False)

    def delete_document(self, name: str) -> None:
        """Delete a document."""
        self._bucket.delete(document_key(name))

    def close(self) -> None:
        """Close all connections."""
        self._bucket.close()

    def _not_found(self, uid: BlobUid) -> BlobNotFoundError:
        return BlobNotFoundError(f"there is no blob {uid} in {self.location}")


def _blob(key: str, size: int) -> StoredBlob | None:
    return StoredBlob(BlobUid(key), size) if is_blob(key) else None


def _document(key: str, size: int) -> str | None:
    name = key.removeprefix(DOCUMENTS)
    return name if is_document(name) else None
