"""The least caps of Ceph users that suffice, and what goes wrong where one is missing; for the documentation and its test.

In the texts ``POOL`` stands for the pool of the images, ``DATA`` for the pool that their data are in if that is another one,
``SPACE`` for a namespace, ``STORE`` for the pool of the data backend ``rados``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """What a user may do for one purpose. ``missing`` tells for each cap of ``osd`` the exit code without it."""

    purpose: str
    mon: str
    osd: tuple[str, ...]
    missing: tuple[int, ...]


MON = "profile rbd"
"""For whoever opens images: it may also shut out a dead client that still holds an exclusive lock."""

READING = Need("back up snapshots that others made", MON, ("profile rbd-read-only pool=POOL",), (12,))

NIGHTLY = Need("make, compare and remove snapshots", MON, ("profile rbd pool=POOL",), (12,))

NIGHTLY_SPACE = Need("the same in a namespace", MON, ("profile rbd pool=POOL namespace=SPACE",), (12,))

NIGHTLY_DATA = Need(
    "the same for images with a data pool", MON, ("profile rbd pool=POOL", "profile rbd pool=DATA"), (12, 12)
)

NIGHTLY_STRICT = Need(
    "make, compare and remove snapshots, without a right to write into images",
    MON,
    (
        "profile rbd-read-only pool=POOL",
        "allow rwx pool=POOL object_prefix rbd_header.",
        "allow rw pool=POOL object_prefix rbd_object_map.",
        "allow class-read object_prefix rbd_children",
    ),
    (12, 12, 12, 0),
)
"""Without the last one snapshots are made, but not removed, which is a warning of each backup."""

RESTORING = Need("restore to images, new and old", MON, ("profile rbd pool=POOL",), (13,))

RESTORING_DATA = Need(
    "restore to images with a data pool", MON, ("profile rbd pool=POOL", "profile rbd pool=DATA"), (13, 13)
)

STORE = Need(
    "keep blobs in a pool",
    "allow r",
    ("allow rw pool=STORE namespace=backy2", "allow rw pool=STORE namespace=backy2.*"),
    (14, 14),
)

NEEDS = (READING, NIGHTLY, NIGHTLY_SPACE, NIGHTLY_DATA, NIGHTLY_STRICT, RESTORING, RESTORING_DATA, STORE)
