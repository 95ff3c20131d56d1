"""What tests of sources and targets get."""

from __future__ import annotations

from tests.sources.machine import cached_bytes, loop_device
from tests.sources.rbd_images import pool, spaced_pool
from tests.support.ceph import ceph, own_ceph

__all__ = ["cached_bytes", "ceph", "loop_device", "own_ceph", "pool", "spaced_pool"]
