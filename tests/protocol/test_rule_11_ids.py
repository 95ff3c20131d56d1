"""Rule 11: an id is never given out twice.

Tested with the live jobs' part of the horizon taken down, since that keeps what a live job has in its hands.
"""

from __future__ import annotations

from tests.protocol.mutants_of_cleanups import horizon_of_cleanup_only
from tests.protocol.mutants_of_jobs import ids_come_back
from tests.protocol.world import World


def deleted_and_another_recorded(world: World) -> None:
    """The blob that a backup found is deleted, and another one is recorded, before it commits its segment."""
    backup = world.backup("v2", "A")
    world.past(backup, "find_blobs")
    world.run(world.rm("v1"), world.cleanup())
    world.run(world.backup("v3", "C"))
    world.run(backup)


def test_id_of_a_deleted_blob_does_not_come_back(rule_counts) -> None:
    walls = [horizon_of_cleanup_only]
    without = ids_come_back
    rule_counts(deleted_and_another_recorded, without, "valid version v2 has another content", walls, v1="A")
