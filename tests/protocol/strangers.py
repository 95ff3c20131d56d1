"""What the jobs of a world did not put into the store: objects of another program, and blobs that a dump speaks of in vain."""

from __future__ import annotations

from collections.abc import Mapping

from backy2_core.engine.context import Engine
from backy2_core.engine.copies import current_head, read_copy
from backy2_core.engine.foreign import finish_take_over, take_over_is_open
from backy2_core.engine.survey import survey
from backy2_core.model.blob import BlobState, BlobUid
from backy2_core.model.version import VersionFilter, VersionState
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore
from tests.protocol.checker import Rows, Violation

_FINISHED = VersionFilter(states=frozenset({VersionState.VALID, VersionState.DAMAGED}))


class Strangers:
    """``foreign`` are objects of another program, ``absent`` those that were not there when they were recorded."""

    def __init__(self) -> None:
        self.foreign: set[BlobUid] = set()
        self.absent: set[BlobUid] = set()
        self._recorded: frozenset[BlobUid] = frozenset()

    def note(self, rows: Rows, store: MemoryStore) -> None:
        """Look at what was recorded since the last time, and whether all that is foreign is there. To be called at each step.

        INVARIANT 8: what another program may still use stays until the take-over is declared finished.
        """
        recorded = {blob.uid: blob.state for blob in rows.blobs.values()}
        new = recorded.keys() - self._recorded
        self.absent.update(uid for uid in new if recorded[uid] is BlobState.UNSEEN and uid not in store.blobs)
        self._recorded = frozenset(recorded)
        gone = self.foreign - store.blobs.keys()
        if gone and not _is_finished(store):
            raise Violation(f"foreign objects are gone: {sorted(gone)}")

    def excused(self, rows: Rows) -> set[BlobUid]:
        """Objects that may be missing, since they always were, and nobody said of them that they were seen."""
        return {
            blob.uid for blob in rows.blobs.values() if blob.uid in self.absent and blob.state is not BlobState.STORED
        }

    def expected(self, rows: Rows, objects: Mapping[BlobUid, bytes]) -> dict[BlobUid, bytes]:
        """The objects, as they would be were all of our making: with the absent, without the foreign of which there is no
        record any more."""
        recorded = {blob.uid for blob in rows.blobs.values()}
        return dict.fromkeys((objects.keys() - (self.foreign - recorded)) | (self.absent & recorded), b"")

    def settle(self, engine: Engine) -> None:
        """Look at what nobody looked at yet, and declare that there is no other program any more."""
        survey(engine, mark=True)
        if take_over_is_open(engine.data):
            finish_take_over(engine.data)


def check_copies(engine: Engine) -> None:
    """INVARIANT 6: the store knows every version, and knows it as it is."""
    for version in engine.meta.versions(_FINISHED):
        copy = read_copy(engine.data, version.uid)
        if copy is None or copy.version != current_head(version):
            raise Violation(f"the store does not know version {version.name} as it is: {copy}")
        lost = [pack.name for pack in copy.packs if engine.data.read_document(pack.name) is None]
        if lost:
            raise Violation(f"the copy of version {version.name} lacks its packs {lost}")


def _is_finished(store: MemoryStore) -> bool:
    return "take-over.json" in store.documents and not take_over_is_open(MemoryDataBackend(store))
