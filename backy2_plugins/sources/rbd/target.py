"""Writing an image in a restore."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

from backy2_core.api import Target, TargetError, TargetRequest
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.failures import failure, number_of, translated
from backy2_plugins.sources.rbd.new_image import NewImage
from backy2_plugins.sources.rbd.url import parse

log = logging.getLogger(__name__)
_PIECE_BYTES = 64 * 1024 * 1024


class RbdTarget(Target):
    """An image, opened for a restore.

    One that is not there is made. One that is there is only taken with ``force``, must be large enough and in nobody's use; a
    larger one keeps its size and its bytes behind the restored ones, of which a warning tells. When a restore fails, a new
    image stays as far as it got.
    """

    def __init__(
        self, url: str, access: Access, request: TargetRequest, new: NewImage | None = None, *, threads: int = 8
    ) -> None:
        self._url = url
        self._threads = threads
        self._sparse = request.sparse
        self._closed = False
        self._name = parse(url, TargetError)
        if self._name.snapshot is not None:
            raise TargetError(f"cannot restore to {url}: it is a snapshot, which cannot be written; give an image")
        with ExitStack() as undo:
            connection = undo.enter_context(Connection(access, url, self._name.place, TargetError))
            image = self._open(connection) if request.force else None
            self._fresh = image is None and (new or NewImage()).make(connection, self._name, request.size_bytes)
            if not self._fresh and not request.force:
                raise TargetError(
                    f"cannot restore to {url}: it exists already; give another name, or --force to overwrite it"
                )
            with translated(TargetError, f"open {url} for writing"):
                self._image = image or bindings.rbd().Image(connection.ioctx, self._name.image)
            undo.callback(self._image.close)
            if not self._fresh:
                self._check(connection, request.size_bytes)
            self._lock()
            self._undo = undo.pop_all()

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data``; the library takes bytes only, so they are copied once."""
        self._call("write", offset, self._image.write, bytes(data), offset)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros.

        Nothing is done on a new image, which has none but zeros. On what is there, sparse: objects are removed or cut; not
        sparse: zeros are written.
        """
        if self._fresh and not self._closed:
            return
        flags = 0 if self._sparse else bindings.rbd().RBD_WRITE_ZEROES_FLAG_THICK_PROVISION
        # Not discard, which leaves parts as they are that are smaller than rbd_discard_granularity_bytes.
        for start in range(offset, offset + length, _PIECE_BYTES):
            count = min(_PIECE_BYTES, offset + length - start)
            self._call("write zeros to", start, self._image.write_zeroes, start, count, flags)

    def flush(self) -> None:
        """Return when the OSDs have everything."""
        with translated(TargetError, f"flush {self._url}"):
            self._image.flush()

    def close(self) -> None:
        """Close image and connection. Calling it twice does nothing."""
        self._closed = True
        self._undo.close()

    def _open(self, connection: Connection) -> Any | None:
        """The image that is there; None if there is none."""
        rbd = bindings.rbd()
        with translated(TargetError, f"open {self._url} for writing"):
            try:
                return rbd.Image(connection.ioctx, self._name.image)
            except rbd.ImageNotFound:
                return None

    def _check(self, connection: Connection, size_bytes: int) -> None:
        with translated(TargetError, f"look at {self._url}"):
            size, image_path = int(self._image.size()), self._name.path
            own = connection.cluster.get_instance_id()
            others = [watcher["addr"] for watcher in self._image.watchers_list() if watcher["id"] != own]
        if size < size_bytes:
            raise TargetError(
                f"cannot restore to {self._url}: it has {size} bytes, and {size_bytes} are needed; "
                f"`rbd resize --size {size_bytes}B {image_path}`, or give another name"
            )
        if others:
            raise TargetError(
                f"cannot restore to {self._url}: it is in use by {', '.join(others)}; stop or unmap what uses it (see "
                f"`rbd status {image_path}`). A client that was killed is forgotten within half a minute"
            )
        if size > size_bytes:
            log.warning(
                "%s has %d bytes, of which the first %d are restored; what is behind them stays as it was",
                self._url,
                size,
                size_bytes,
            )

    def _lock(self) -> None:
        """Take the image's exclusive lock for as long as it is open, where it has such.

        Otherwise the library takes it with the first write, and waits for ever if the cluster does not answer by then.
        """
        rbd = bindings.rbd()
        with translated(TargetError, f"lock {self._url}"):
            if self._image.features() & rbd.RBD_FEATURE_EXCLUSIVE_LOCK:
                self._image.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)

    def _call(self, action: str, offset: int, function: Any, *arguments: Any) -> None:
        try:
            function(*arguments)
        except bindings.rbd().Error as error:
            raise failure(TargetError, f"{action} {self._url} at byte {offset}", number_of(error)) from error
