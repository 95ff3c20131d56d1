"""The conformance suite for the snapshots of a device: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMySnapshots(SnapshotsSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            device = ...
            return SnapshotsSubject(open=..., open_source=..., write=..., take=..., drop=..., size_bytes=...)
"""

from __future__ import annotations

from backy2_core.testing.snapshots_base import SnapshotsSubject
from backy2_core.testing.snapshots_changes import ChangesPromises
from backy2_core.testing.snapshots_making import MakingPromises
from backy2_core.testing.snapshots_removing import RemovingPromises

__all__ = ["SnapshotsSubject", "SnapshotsSuite"]


class SnapshotsSuite(MakingPromises, ChangesPromises, RemovingPromises):
    """Subclass it, and give the fixture ``subject``: a device of its own for each test."""
