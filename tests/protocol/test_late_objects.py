"""Puts that land late, and listings that are not of one moment: what they leave, a later full cleanup finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backy2_core.contracts.data_backend import DataBackend, StoredBlob
from backy2_core.errors import JobLostError
from tests.protocol.world import World

Bend = Callable[[list[StoredBlob]], list[StoredBlob]]

STEPS = (
    "begin_job",
    "jobs",
    "list_blobs",
    "recorded_uids",
    "find_jobs",
    "doomed_blobs",
    "end_job",
)


class BentListing:
    """A data backend whose listing is bent."""

    def __init__(self, inner: DataBackend, bend: Bend) -> None:
        self.inner = inner
        self._bend = bend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """The bent one."""
        return iter(self._bend(list(self.inner.list_blobs())))


def bent(bend: Bend) -> Callable[[DataBackend], Any]:
    """Wraps a store."""
    return lambda data: BentListing(data, bend)


@pytest.mark.parametrize("call", STEPS)
def test_put_that_lands_after_its_job_was_over_is_found_by_the_next_full_cleanup(world: World, call: str) -> None:
    before = dict(world.objects)
    backup = world.backup("v2", "C")
    world.upto(backup, "flush")
    world.expire(backup)
    cleanup = world.cleanup(full=True)
    if call != "begin_job":
        world.upto(cleanup, call)
    world.step(backup)
    assert len(world.objects) == len(before) + 1
    world.run(cleanup, backup)
    assert isinstance(backup.error, JobLostError)
    world.run(world.cleanup(full=True))
    assert world.objects == before
    world.settle()


def test_put_that_lands_again_after_its_object_was_deleted_is_found(world: World) -> None:
    before = dict(world.objects)
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    world.crash(backup)
    after = dict(world.objects)
    for call in ("doomed_blobs", "delete", "forget_blobs", "end_job"):
        cleanup = world.cleanup(full=True)
        world.past(cleanup, "doom_objects")
        world.upto(cleanup, call)
        world.step(cleanup)
        world.store.blobs.update(after)
        world.run(cleanup)
        world.store.blobs.update(after)
    world.run(world.cleanup(full=True))
    assert world.objects == before
    world.settle()


@pytest.mark.parametrize("how", ["misses", "repeats", "misses and repeats"])
def test_listing_that_misses_or_repeats_entries_harms_nothing(world: World, how: str) -> None:
    orphan = world.backup("v2", "C")
    world.upto(orphan, "add_blobs")
    world.crash(orphan)
    live = world.backup("v3", "D")
    world.upto(live, "add_blobs")
    recorded = {blob.uid for blob in world.rows.blobs.values()}

    def bend(listed: list[StoredBlob]) -> list[StoredBlob]:
        fresh = [blob for blob in listed if blob.uid not in recorded]
        assert len(fresh) == 2
        if how == "misses":
            return [blob for blob in listed if blob.uid in recorded]
        return (listed if how == "repeats" else fresh[:1]) * 3

    world.run(world.cleanup(full=True, wrap=bent(bend)), live)
    world.settle()


def test_listing_that_shows_deleted_objects_harms_nothing(world: World) -> None:
    orphan = world.backup("v2", "C")
    world.upto(orphan, "add_blobs")
    world.crash(orphan)
    old = [StoredBlob(uid, len(data)) for uid, data in world.objects.items()]
    world.run(world.rm("v1"), world.cleanup(full=True))
    assert not world.objects
    cleanup = world.cleanup(full=True, wrap=bent(lambda listed: old + listed))
    world.run(cleanup, world.backup("v3", "AB"))
    world.settle()
