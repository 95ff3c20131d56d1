"""The conformance suite for meta backends: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyBackend(MetaBackendSuite):
        @pytest.fixture
        def open_database(self, tmp_path):
            return lambda: MyMetaBackend(tmp_path)

``open_database`` opens the same database each time it is called within a test, without any tables at the first. Leases
run out by being renewed for no time at all. The contract is provisional, and so is this suite.

A meta backend that keeps its files itself joins :class:`backy2_core.testing.durability.MetaDurabilitySuite` as well.
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
from backy2_core.testing.meta_backend_trouble import TroublePromises
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
    TroublePromises,
):
    """Subclass it, and give the fixture ``open_database``.

    Attributes: ``secret_texts``, passwords that the database was opened with, to be looked for in messages;
    ``patience_s``, seconds in which every call must end, whatever the database does.

    Fixtures, for what not everybody can do: ``outage``, an :class:`backy2_core.testing.outage.Outage`, which makes the
    database unreachable (or not writable) and mends it; ``open_silent``, which opens a database at a host and port, for a
    server that takes connections and never answers.
    """
