"""INVARIANT 8: what another program put into the store stays until it was declared that it is not used any more."""

from __future__ import annotations

from backy2_core.model.blob import BlobState, BlobUid, blob_uid
from backy2_core.model.version import VersionState
from tests.protocol.arrivals import UID, arrival, dump_of, finish, foreign_dump, look, removal
from tests.protocol.checker import content_of
from tests.protocol.mutants_of_arrivals import (
    always_a_new_record,
    begun_after_the_first,
    nothing_is_foreign,
    our_shape_is_ours,
    seen_before_finished,
    unseen_is_doomed,
)
from tests.protocol.world import World


def clean_up_twice(world: World) -> None:
    """Whatever is to go is gone after this."""
    for _ in range(2):
        world.run(world.cleanup(full=True))


def seen_and_removed(world: World) -> None:
    """A version of another program is taken over, found in the store, and removed here."""
    world.run(arrival(world, foreign_dump(world, "v9", "XY")), look(world), removal(world, UID))
    clean_up_twice(world)
    assert len(world.objects) == 4


def seen_and_removed_in_our_shape(world: World) -> None:
    """The same of a version of another database of ours, whose jobs are not known here; beside one of the original."""
    dump = foreign_dump(world, "v9", "XY")
    uid = blob_uid("0123456789abcdef", 0)
    old = dump.blocks[0].blob
    world.store.blobs[uid] = world.store.blobs.pop(old.uid)
    world.strangers.foreign = (world.strangers.foreign - {old.uid}) | {uid}
    dump.blocks[0] = dump.blocks[0]._replace(blob=type(old)(uid, old.size, old.stored_size, old.hash, old.checksum))
    world.run(arrival(world, dump), look(world), removal(world, UID))
    clean_up_twice(world)


def killed_after_the_first(world: World) -> None:
    """An adoption is killed when it took over its first blobs; somebody looks at the store."""
    arriving = arrival(world, foreign_dump(world, "v9", "XY"))
    world.past(arriving, "take_over_blobs")
    world.crash(arriving)
    world.run(look(world))
    clean_up_twice(world)


def removed_unseen(world: World) -> None:
    """A version is taken over and removed, and nobody looked."""
    world.run(arrival(world, foreign_dump(world, "v9", "XY")), removal(world, UID))
    clean_up_twice(world)
    assert len(world.rows.blobs) == 2


def come_back(world: World) -> None:
    """A version is exported, removed, and imported again."""
    dump = dump_of(world, "v1")
    world.run(world.rm("v1"), arrival(world, dump))
    assert len(world.rows.blobs) == 2


def test_what_was_taken_over_stays_when_nothing_here_needs_it(rule_counts) -> None:
    rule_counts(seen_and_removed, nothing_is_foreign, "foreign objects are gone", v1="AB")


def test_whose_a_blob_is_the_jobs_of_this_database_tell_and_not_the_shape_of_its_uid(rule_counts) -> None:
    rule_counts(seen_and_removed_in_our_shape, our_shape_is_ours, "foreign objects are gone", v1="AB")


def test_the_store_is_told_before_the_first_blob_is_taken_over(rule_counts) -> None:
    """That nobody marks what no finished version refers to is another wall."""
    walls = [seen_before_finished]
    rule_counts(killed_after_the_first, begun_after_the_first, "foreign objects are gone", walls, v1="AB")


def test_what_nobody_saw_goes_without_its_object(rule_counts) -> None:
    rule_counts(removed_unseen, unseen_is_doomed, "foreign objects are gone", v1="AB")


def test_a_blob_has_one_record(rule_counts) -> None:
    rule_counts(come_back, always_a_new_record, "arrival v1 failed under a live lease", v1="AB")


def test_what_was_taken_over_goes_once_it_is_declared_to_be_ours_alone(world: World) -> None:
    seen_and_removed(world)
    world.run(finish(world), world.cleanup())
    assert {blob.uid for blob in world.rows.blobs.values()} == set(world.objects)
    assert len(world.objects) == 2
    world.settle()


def test_what_nobody_saw_stays_in_the_store_for_good(world: World) -> None:
    removed_unseen(world)
    world.run(finish(world))
    clean_up_twice(world)
    assert world.strangers.foreign <= set(world.objects)
    world.settle()


def test_a_cleanup_that_began_before_the_finish_spares_to_its_end(world: World) -> None:
    seen_and_removed(world)
    cleanup = world.cleanup()
    world.past(cleanup, "read_document")
    world.run(finish(world), cleanup)
    assert world.strangers.foreign <= set(world.objects)
    world.settle()
    assert not world.strangers.foreign & set(world.objects)


def test_a_cleanup_that_began_before_the_first_take_over_deletes_nothing_of_it(world: World) -> None:
    """It read that there is no other program; what it may delete was condemned before the arrival began."""
    dump = foreign_dump(world, "v9", "XY")
    world.run(world.rm("v1"), world.cleanup())
    cleanup = world.cleanup(full=True)
    world.upto(cleanup, "scan_blobs")
    world.run(arrival(world, dump), look(world), removal(world, UID), cleanup)
    clean_up_twice(world)
    assert set(world.objects) == world.strangers.foreign


def test_an_object_of_the_other_program_that_no_version_names_is_left_alone(world: World) -> None:
    foreign = BlobUid("0123456789abcdef0123456789abcdef")
    for uid in (foreign, blob_uid("0123456789abcdef", 0)):
        world.store.blobs[uid] = content_of("Z")
        world.strangers.foreign.add(uid)
    clean_up_twice(world)
    world.settle()
    assert len(world.objects) == 4


def test_backups_refer_to_what_was_taken_over_and_seen(world: World) -> None:
    world.run(arrival(world, foreign_dump(world, "v9", "XY")), world.backup("v2", "X"))
    assert set(world.rows.blobs_of("v2")).isdisjoint(world.rows.blobs_of("v9"))
    world.run(look(world), world.rm("v2"))
    clean_up_twice(world)
    world.run(world.backup("v3", "YX"), removal(world, UID), finish(world))
    clean_up_twice(world)
    assert {world.rows.blobs[blob].state for blob in world.rows.blobs_of("v3")} == {BlobState.STORED}
    assert world.rows.version("v3").state is VersionState.VALID
    assert set(world.objects) >= world.strangers.foreign
    world.settle()
