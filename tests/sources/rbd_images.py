"""RBD images for tests: made, written to and snapshotted as other programs would, through librbd itself."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_plugins.sources import rbd as plugin
from backy2_plugins.sources.rbd import RbdSnapshots, RbdSource, RbdTarget
from backy2_plugins.sources.rbd.access import Access
from tests.support.ceph import Cluster

KIB = 1024
MIB = 1024 * KIB
FEATURES = ("LAYERING", "EXCLUSIVE_LOCK", "OBJECT_MAP", "FAST_DIFF", "DEEP_FLATTEN")
PATTERN = "backy2-{date}-{mark}"
_NUMBERS = itertools.count(1)


def feature_bits(*names: str) -> int:
    """The features as librbd wants them."""
    import rbd

    return sum(getattr(rbd, f"RBD_FEATURE_{name}") for name in names)


def settings(cluster: Cluster, **changed: Any) -> dict[str, Any]:
    """The plugin's settings with their defaults, for this cluster."""
    values = {setting.name: setting.default for setting in plugin.backy2_settings()}
    return values | {"ceph_conffile": str(cluster.conf)} | changed


@dataclass
class Pool:
    """A pool of its own for some tests, with a connection of other programs' to it."""

    cluster: Cluster
    name: str
    ioctx: Any
    namespace: str = ""

    @property
    def access(self) -> Access:
        """How the plugin reaches it."""
        return Access.by(settings(self.cluster))

    def image(self, size_bytes: int, *, order: int = 22, features: tuple[str, ...] = FEATURES, **how: Any) -> Image:
        """Make an image of a name that was never used."""
        import rbd

        name = self.new_name()
        rbd.RBD().create(
            self.ioctx, name, size_bytes, order=order, old_format=False, features=feature_bits(*features), **how
        )
        return Image(self, name)

    def url(self, path: str) -> str:
        """The URL of what has this path in the pool."""
        return f"rbd://{self.name}/{self.namespace}/{path}" if self.namespace else f"rbd://{self.name}/{path}"

    def new_name(self) -> str:
        """A name that no image had yet."""
        return f"image{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def pool(ceph: Cluster) -> Iterator[Pool]:
    """A pool for all tests of RBD."""
    name = ceph.make_pool()
    handle = ceph.rados()
    ioctx = handle.open_ioctx(name)
    yield Pool(ceph, name, ioctx)
    ioctx.close()
    handle.shutdown()


@pytest.fixture(scope="session")
def spaced_pool(pool: Pool) -> Iterator[Pool]:
    """A namespace of the same pool."""
    import rbd

    handle = pool.cluster.rados()
    ioctx = handle.open_ioctx(pool.name)
    rbd.RBD().namespace_create(ioctx, "tenant")
    ioctx.set_namespace("tenant")
    yield Pool(pool.cluster, pool.name, ioctx, "tenant")
    ioctx.close()
    handle.shutdown()


@dataclass
class Image:
    """An image, as other programs see it."""

    pool: Pool
    name: str

    @property
    def url(self) -> str:
        """Its URL."""
        return self.pool.url(self.name)

    @contextmanager
    def opened(self, snapshot: str | None = None, *, read_only: bool = False) -> Iterator[Any]:
        """The image by librbd."""
        import rbd

        with rbd.Image(self.pool.ioctx, self.name, snapshot=snapshot, read_only=read_only) as image:
            yield image

    def write(self, offset: int, data: bytes) -> None:
        """Write as a virtual machine would."""
        with self.opened() as image:
            image.write(data, offset)

    def discard(self, offset: int, length: int) -> None:
        """Discard as a virtual machine would."""
        with self.opened() as image:
            image.discard(offset, length)

    def resize(self, size_bytes: int) -> None:
        """Resize it."""
        with self.opened() as image:
            image.resize(size_bytes)

    def take(self, snapshot: str) -> None:
        """Make a snapshot as a person would."""
        with self.opened() as image:
            image.create_snap(snapshot)

    def drop(self, snapshot: str) -> None:
        """Remove a snapshot."""
        with self.opened() as image:
            image.remove_snap(snapshot)

    def roll_back(self, snapshot: str) -> None:
        """Make the image what it was."""
        with self.opened() as image:
            image.rollback_to_snap(snapshot)

    def hold(self, snapshot: str) -> None:
        """Protect a snapshot."""
        with self.opened() as image:
            image.protect_snap(snapshot)

    def switch(self, on: bool, *features: str) -> None:
        """Switch features on or off."""
        with self.opened() as image:
            image.update_features(feature_bits(*features), on)

    def recreate(self, size_bytes: int) -> None:
        """Another one in its place."""
        import rbd

        with self.opened() as image:
            for snapshot in list(image.list_snaps()):
                image.remove_snap(snapshot["name"])
        rbd.RBD().remove(self.pool.ioctx, self.name)
        rbd.RBD().create(self.pool.ioctx, self.name, size_bytes, old_format=False, features=feature_bits(*FEATURES))

    def content(self, snapshot: str | None = None) -> bytes:
        """All bytes, now or at a snapshot."""
        with self.opened(snapshot, read_only=True) as image:
            size = image.size()
            return bytes(image.read(0, size)) if size else b""

    def names(self) -> list[str]:
        """Names of its snapshots."""
        with self.opened(read_only=True) as image:
            return [snapshot["name"] for snapshot in image.list_snaps()]

    def move_to_trash(self, *names: str) -> None:
        """Do the first half of removing snapshots, after which librbd may have been killed."""
        with self.opened(read_only=True) as image:
            header = f"rbd_header.{image.id()}"
            numbers = [snapshot["id"] for snapshot in image.list_snaps() if snapshot["name"] in names]
        for number in numbers:
            self.pool.ioctx.execute(header, "rbd", "snapshot_trash_add", struct.pack("<Q", number))

    def source(self, snapshot: str | None = None) -> RbdSource:
        """The plugin's source."""
        return RbdSource(self.url if snapshot is None else f"{self.url}@{snapshot}", self.pool.access)

    def snapshots(self, snapshot: str | None = None) -> RbdSnapshots:
        """The plugin's snapshots."""
        url = self.url if snapshot is None else f"{self.url}@{snapshot}"
        return RbdSnapshots(url, self.pool.access, pattern=PATTERN)

    def target(self, request: TargetRequest) -> RbdTarget:
        """The plugin's target."""
        return RbdTarget(self.url, self.pool.access, request)
