"""The markers of versions in the store, beside jobs that come and go. INVARIANT 6 must not refuse where nothing is wrong."""

from __future__ import annotations

from backy2_core.errors import JobLostError
from tests.protocol.world import World


def test_cleanup_beside_a_backup_does_not_take_its_marker_for_a_foreign_one(world: World) -> None:
    cleanup = world.cleanup()
    world.upto(cleanup, "list_documents")
    world.run(world.backup("v2", "C"))
    world.run(cleanup)


def test_marker_written_by_a_job_that_lost_its_lease_stops_no_cleanup(world: World) -> None:
    backup = world.backup("v2", "C")
    world.upto(backup, "write_document")
    world.expire(backup)
    world.run(world.rm("v2"), world.cleanup(), backup)
    assert isinstance(backup.error, JobLostError)
    world.run(world.cleanup())


def test_marker_of_a_version_removed_while_it_was_made_stops_no_cleanup(world: World) -> None:
    backup = world.backup("v2", "C")
    world.upto(backup, "write_document")
    world.run(world.rm("v2"))
    cleanup = world.cleanup()
    world.upto(cleanup, "purge_versions")
    while not backup.ended:
        backup.step()
    world.run(cleanup)
    world.run(world.cleanup())


def test_killed_between_marker_and_valid_leaves_what_the_next_cleanup_takes(world: World) -> None:
    backup = world.backup("v2", "C")
    world.upto(backup, "finish_version")
    world.crash(backup)
    world.settle()
    assert [name for name in world.store.documents if name.startswith("versions/")] == [
        f"versions/{world.uid('v1')}.json"
    ]
