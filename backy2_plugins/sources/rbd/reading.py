"""Reading an image or a snapshot of it, only where there is data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from backy2_core.api import Extent, Source, SourceError
from backy2_plugins.sources.rbd import asking, bindings, extents
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.differ import Point, Question
from backy2_plugins.sources.rbd.failures import failure, number_of, translated
from backy2_plugins.sources.rbd.url import parse


def snapshot_identity(pool_identity: str, image_id: str, snapshot_id: int) -> str:
    """A text that no other snapshot has: ids of snapshots and images are never used again."""
    return f"{pool_identity}/{image_id}@{snapshot_id}"


class RbdSource(Source):
    """An image, or a snapshot of one, opened for reading.

    ``identity`` of a snapshot is made of the ids of cluster, pool, image and snapshot. Of an image as it is now nothing tells
    whether it changed; such must not be written to meanwhile.
    """

    def __init__(self, url: str, access: Access, *, threads: int = 8) -> None:
        self._url = url
        self._threads = threads
        self._access = access
        self._name = parse(url, SourceError)
        with ExitStack() as undo:
            connection = undo.enter_context(Connection(access, url, self._name.place, SourceError))
            self._image = connection.open_image(self._name)
            undo.callback(self._image.close)
            with translated(SourceError, f"open {url}"):
                self._size_bytes = int(self._image.size())
                self._image_id = str(self._image.id())
                self._point = self._find_point()
            self._pool_identity = connection.pool_identity()
            self._connection = connection
            self._flags = _fadvise_flags()
            self._undo = undo.pop_all()

    @property
    def size_bytes(self) -> int:
        """Size of the image, or of what it was at the snapshot."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """See the class; "" for an image as it is now."""
        if self._point is None:
            return ""
        return snapshot_identity(self._pool_identity, self._image_id, self._point.id)

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Read from the cluster; the library hands out bytes of its own, so they are copied once."""
        length = len(buffer)
        try:
            data = self._image.read(offset, length, self._flags)
        except bindings.rbd().Error as error:
            raise failure(SourceError, f"read {self._url} at byte {offset}", number_of(error)) from error
        if len(data) != length:
            raise SourceError(
                f"{self._url} gave {len(data)} of {length} bytes at {offset}; it was opened with {self._size_bytes} bytes. "
                "Back up a snapshot, or stop what changes its size"
            )
        buffer[:] = data

    def allocated(self) -> Iterator[Extent]:
        """The ranges in which objects are, of a clone also those of its parent: from the object map where it is valid."""
        for extent in asking.joined(asking.extents(self._windows())):
            # An image as it is now may have grown since it was opened.
            if extent.offset < self._size_bytes:
                yield Extent(extent.offset, min(extent.length, self._size_bytes - extent.offset))

    def confirm(self) -> None:
        """The snapshot is there still, or the image with all its bytes.

        One that is open for reading only hears of no removal, and goes on to read: zeros, or what is written now.
        """
        with self._connection.image(self._name, self._image_id) as image, translated(SourceError, f"open {self._url}"):
            if self._point is None:
                left = image.size() >= self._size_bytes
            else:
                left = any(int(told["id"]) == self._point.id for told in image.list_snaps())
        if not left:
            raise SourceError(
                f"{self._url} was removed or made smaller while it was read: what was read may be anything. Back up again"
            )

    def close(self) -> None:
        """Close image and connection. Calling it twice does nothing."""
        self._undo.close()

    def _windows(self) -> Iterator[extents.Window]:
        with translated(SourceError, f"find out where {self._url} has data"):
            if extents.has_trusted_map(self._image):
                yield from extents.allocated(self._image)
                return
        yield from asking.windows(Question(self._access, self._name, self._image_id, self._point, None))

    def _find_point(self) -> Point | None:
        snapshot = self._name.snapshot
        return None if snapshot is None else Point(int(self._image.snap_get_id(snapshot)), snapshot)


def _fadvise_flags() -> int:
    """What is read for a backup is not read again soon: it shall not displace what the cluster holds in its caches."""
    rados = bindings.rados()
    return int(rados.LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL | rados.LIBRADOS_OP_FLAG_FADVISE_NOCACHE)
