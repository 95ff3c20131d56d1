"""The conformance suite for meta backends: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyBackend(MetaBackendSuite):
        @pytest.fixture
        def open_database(self, tmp_path):
            return lambda: MyMetaBackend(tmp_path)

``open_database`` opens the same database each time it is called, without any tables at the first. Leases run out by
being renewed for no time at all.
"""

from __future__ import annotations

from backy2_core.testing.meta_backend_arrivals import ArrivalPromises
from backy2_core.testing.meta_backend_blobs import BlobPromises
from backy2_core.testing.meta_backend_cleanup import CleanupPromises
from backy2_core.testing.meta_backend_database import DatabasePromises
from backy2_core.testing.meta_backend_finish import FinishPromises
from backy2_core.testing.meta_backend_jobs import JobPromises
from backy2_core.testing.meta_backend_leases import LeasePromises
from backy2_core.testing.meta_backend_maps import MapPromises
from backy2_core.testing.meta_backend_sweeps import SweepPromises
from backy2_core.testing.meta_backend_threads import ThreadPromises
from backy2_core.testing.meta_backend_versions import VersionPromises

__all__ = ["MetaBackendSuite"]


class MetaBackendSuite(
    DatabasePromises,
    JobPromises,
    LeasePromises,
    VersionPromises,
    BlobPromises,
    ArrivalPromises,
    MapPromises,
    FinishPromises,
    CleanupPromises,
    SweepPromises,
    ThreadPromises,
):
    """Subclass it, and give the fixture ``open_database``."""
