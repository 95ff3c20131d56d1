"""The conformance suite for data backends: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyBackend(DataBackendSuite):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyDataBackend(tmp_path)

``open_store`` opens the same store each time it is called. A store that keeps what other tests put there is fine too:
the suite minds only what is its own. Everything that is skipped is skipped by the capabilities that the backend
declares, by the suite's few class attributes, and by fixtures that are there or not; never by name.

A backend that keeps its blobs in files joins :class:`backy2_core.testing.durability.DurabilitySuite` as well.
"""

from __future__ import annotations

from backy2_core.testing.data_backend_blobs import BlobPromises
from backy2_core.testing.data_backend_closing import BufferPromises, ClosingPromises
from backy2_core.testing.data_backend_crash import CrashPromises
from backy2_core.testing.data_backend_documents import DocumentPromises
from backy2_core.testing.data_backend_outage import OutagePromises
from backy2_core.testing.data_backend_threads import ThreadPromises

__all__ = ["DataBackendSuite"]


class DataBackendSuite(
    BlobPromises,
    BufferPromises,
    DocumentPromises,
    ThreadPromises,
    CrashPromises,
    ClosingPromises,
    OutagePromises,
):
    """Subclass it, and give the fixture ``open_store``.

    Attributes, for what the capabilities do not say:

    - ``refuses_existing``: False for a store that cannot check whether a uid is there, and relies on uids being unique.
    - ``shared_between_processes``: False for a store that a forked child does not share.
    - ``secret_texts``: passwords and keys that the store was opened with, to be looked for in messages.
    - ``patience_s``: seconds in which every call must end, whatever the store does.

    Fixtures, for what not everybody can do:

    - ``outage``: an :class:`backy2_core.testing.outage.Outage`, which makes the store unreachable and mends it.
    - ``open_silent``: opens a store at a host and port, for a server that takes connections and never answers.
    """
