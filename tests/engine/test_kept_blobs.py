"""A store that keeps some blobs (an object lock) does not keep a cleanup from its work, and they go when it lets go."""

from __future__ import annotations

import logging

import pytest

from backy2_core.engine.retention import remove
from backy2_core.errors import BlobsKeptError, DataBackendError
from backy2_core.wrappers.forwarding import ForwardingDataBackend
from tests.engine.place import image, numbered


class Locking(ForwardingDataBackend):
    """Keeps the blobs in ``locked``."""

    def __init__(self, inner):
        super().__init__(inner)
        self.locked = set()

    def delete(self, uids):
        self.inner.delete([uid for uid in uids if uid not in self.locked])
        kept = [uid for uid in uids if uid in self.locked]
        if kept:
            raise BlobsKeptError(f"{len(kept)} blobs are locked, such as {kept[0]}", kept)


@pytest.fixture
def store(place):
    """The store of the place, within one that can lock."""
    place.data = Locking(place.data)
    place.engine = place.engine_with()
    return place.data


def test_a_locked_blob_stays_with_its_record_and_all_others_go(place, store, caplog):
    stays = place.uid(image("s"), name="stays")
    shared = place.blob_of(image("s"))
    uid = place.uid(image("s") + numbered(5))
    locked = min(place.objects() - {shared})
    store.locked = {locked}
    remove(place.engine, place.version(uid))
    with caplog.at_level(logging.WARNING):
        result = place.cleanup()
    assert (result.deleted_blobs, result.undeleted_blobs) == (4, 1)
    assert result.freed_bytes == 4 * 4096
    [warning] = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith("1 blobs that no version needs were not deleted, and each cleanup tries again")
    assert locked in warning
    assert locked in place.objects()
    assert locked in place.records()
    assert place.restored(stays) == image("s")


def test_the_next_cleanup_tries_again(place, store):
    uid = place.uid(numbered(3))
    store.locked = place.objects()
    remove(place.engine, place.version(uid))
    assert place.cleanup().undeleted_blobs == 3
    assert place.cleanup(full=True).undeleted_blobs == 3
    store.locked = set()
    result = place.cleanup()
    assert (result.deleted_blobs, result.undeleted_blobs) == (3, 0)
    assert (place.objects(), place.records()) == (set(), set())


def test_what_is_kept_is_never_referred_to_again(place, store):
    uid = place.uid(numbered(3))
    store.locked = place.objects()
    remove(place.engine, place.version(uid))
    place.cleanup()
    again = place.uid(numbered(3))
    store.locked = set()
    place.cleanup()
    assert place.restored(again) == numbered(3)
    assert len(place.objects()) == 3


def test_another_failure_still_ends_the_cleanup_and_loses_nothing(place, store):
    uid = place.uid(numbered(3))
    remove(place.engine, place.version(uid))
    store.inner.fail("delete", DataBackendError("out of reach"), times=9)
    with pytest.raises(DataBackendError, match="out of reach"):
        place.cleanup()
    store.inner.heal()
    assert place.cleanup().deleted_blobs == 3
