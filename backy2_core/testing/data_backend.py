"""The conformance suite for data backends: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyBackend(DataBackendSuite):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyDataBackend(tmp_path)

``open_store`` opens the same store each time it is called, empty at the first. Everything that is skipped is skipped by
the capabilities that the backend declares, and by the suite's few class attributes.
"""

from __future__ import annotations

from backy2_core.testing.data_backend_blobs import BlobPromises
from backy2_core.testing.data_backend_crash import CrashPromises
from backy2_core.testing.data_backend_documents import DocumentPromises
from backy2_core.testing.data_backend_threads import ThreadPromises

__all__ = ["DataBackendSuite"]


class DataBackendSuite(BlobPromises, DocumentPromises, ThreadPromises, CrashPromises):
    """Subclass it, and give the fixture ``open_store``.

    ``refuses_existing``: False for a store that cannot check whether a uid is there, and relies on uids being unique.
    ``shared_between_processes``: False for a store that a forked child does not share.
    """
