"""A connection to a cluster and a pool of it, and the images that are opened over it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from backy2_core.api import BackyError
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.failures import failure, number_of, translated
from backy2_plugins.sources.rbd.url import Name, Place

OF_USERS = 0
"""The namespace of snapshots that people and programs make; groups, the trash and mirroring have others."""
OF_THE_TRASH = 2
"""That of snapshots that are being removed, or were removed while clones needed them; their names are made up."""
_OF_OTHERS = {1: "of a group of images", OF_THE_TRASH: "one that was removed, in the trash", 3: "of mirroring"}


class Connection:
    """A pool, and a namespace of it, of a cluster, to open what ``url`` names; errors become ``kind``.

    Any thread may use it. Whatever was opened over it must be closed before it is: otherwise the library never returns.
    """

    def __init__(self, access: Access, url: str, place: Place, kind: type[BackyError], **options: str) -> None:
        self.place = place
        self._kind = kind
        with ExitStack() as undo:
            self.cluster = _connect(access, url, kind, options)
            undo.callback(self.cluster.shutdown)
            advice = {errno.ENOENT: f"there is no pool {place.pool}; see `ceph osd pool ls`"}
            with translated(kind, f"open {url}", advice):
                self.ioctx = self.cluster.open_ioctx(place.pool)
            undo.callback(self.ioctx.close)
            self.ioctx.set_namespace(place.namespace)
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the pool and the connection. Calling it twice does nothing."""
        self._undo.close()

    def pool_identity(self) -> str:
        """A text that no other pool and namespace has, in whatever cluster."""
        with translated(self._kind, f"ask the cluster of pool {self.place.pool} for its id"):
            return f"rbd:{self.cluster.get_fsid()}/{self.ioctx.get_pool_id()}/{self.place.namespace}"

    def open_image(self, name: Name) -> Any:
        """Open an image, or a snapshot of it, for reading only; to be closed by the caller."""
        try:
            return bindings.rbd().Image(self.ioctx, name.image, snapshot=name.snapshot, read_only=True)
        except (bindings.rados().Error, bindings.rbd().Error) as error:
            raise self._cannot_open(name, number_of(error)) from error

    def lacking_namespace(self) -> str:
        """What to say if the namespace is not there; empty if it is. Raises what the library raises."""
        pool, namespace = self.place.pool, self.place.namespace
        if not namespace:
            return ""
        self.ioctx.set_namespace("")
        try:
            there = bindings.rbd().RBD().namespace_exists(self.ioctx, namespace)
        finally:
            self.ioctx.set_namespace(namespace)
        return "" if there else f"there is no namespace {namespace} in pool {pool}; see `rbd namespace ls {pool}`"

    @contextmanager
    def image(self, name: Name, image_id: str, *, writable: bool = False) -> Iterator[Any]:
        """An image by its id: it is found under a new name as well, and never another one under the same name."""
        what = "for writing" if writable else "for reading"
        gone = f"the image that had this name before (id {image_id}) is not there any more"
        with translated(self._kind, f"open {self.place.url(name.image)} {what}", {errno.ENOENT: gone}):
            image = bindings.rbd().Image(self.ioctx, image_id=image_id, read_only=not writable)
        try:
            yield image
        finally:
            image.close()

    def _cannot_open(self, name: Name, number: int) -> BackyError:
        url = self.place.url(name.image) + ("" if name.snapshot is None else f"@{name.snapshot}")
        if number != errno.ENOENT:
            return failure(self._kind, f"open {url}", number)
        return failure(self._kind, f"open {url}", number, {errno.ENOENT: self._what_is_missing(name)})

    def _what_is_missing(self, name: Name) -> str:
        place = self.place
        try:
            if lacking := self.lacking_namespace():
                return lacking
            if name.snapshot is not None and name.image in bindings.rbd().RBD().list(self.ioctx):
                return self._what_a_snapshot_lacks(name)
        except (bindings.rados().Error, bindings.rbd().Error):
            return "image, snapshot or namespace is missing"
        return f"there is no image {name.image}; see `rbd ls {place.path}`"

    def _what_a_snapshot_lacks(self, name: Name) -> str:
        with bindings.rbd().Image(self.ioctx, name.image, read_only=True) as image:
            found = {snapshot["namespace"] for snapshot in image.list_snaps() if snapshot["name"] == name.snapshot}
        if found and OF_USERS not in found:
            what = _OF_OTHERS.get(min(found), "of Ceph's own")
            return (
                f"this snapshot is {what}, and cannot be read by its name; name one that a person or a program made "
                f"(NAMESPACE is user in `rbd snap ls --all {name.path}`), or none, and one is made"
            )
        if found:
            # It is listed, but opening it finds no object map, which is made last.
            return (
                "the snapshot is there, but its object map is not: its making was interrupted, or its maker lacks the caps for "
                f"rbd_object_map objects; remove it with `rbd snap rm {name.path}@{name.snapshot}`"
            )
        return f"the image has no snapshot {name.snapshot}; see `rbd snap ls {name.path}`"


def _connect(access: Access, url: str, kind: type[BackyError], options: dict[str, str]) -> Any:
    rados = bindings.rados()
    bindings.rbd()
    where = f"open {url}: connect to Ceph as {access.user} by {access.conf_file}"
    for path in filter(None, (access.conf_file, access.keyring)):
        if not os.access(path, os.R_OK):
            key = "keyring" if path == access.keyring else "ceph_conffile"
            raise kind(f"cannot {where}: {path} is missing or not readable; set {key} in [source:rbd]")
    try:
        cluster = rados.Rados(
            name=access.user,
            clustername=access.cluster_name,
            conffile=access.conf_file,
            conf={**access.options(), **options},
        )
        cluster.connect()
    except rados.Error as error:
        raise failure(kind, where, number_of(error), _CONNECTING) from error
    return cluster


_CONNECTING = {
    errno.ENOENT: "no key of this user was found; set keyring in [source:rbd], and see `ceph auth get`",
    errno.EPERM: "the cluster does not know this user and key; check rados_name and keyring in [source:rbd]",
    errno.EACCES: "the cluster refuses this user and key; check rados_name and keyring in [source:rbd]",
    errno.EINVAL: "a value of that file, or the key, is not understood",
}
