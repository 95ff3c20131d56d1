"""The clusters that the tests in this folder may ask for."""

from __future__ import annotations

from tests.support.ceph import ceph, ceph_with_radosgw, own_ceph

__all__ = ["ceph", "ceph_with_radosgw", "own_ceph"]
