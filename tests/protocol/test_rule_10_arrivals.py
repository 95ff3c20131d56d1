"""Rule 10: an arrival makes one record a (store, uid), revives what is condemned, and refuses what is ``deleting``; ``unseen``
becomes ``stored`` only by a look that began after the record was committed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from backy2_core.engine.lookup import get_version
from backy2_core.errors import ExchangeError, JobLostError, VersionExistsError
from backy2_core.model.blob import BlobState
from backy2_core.model.version import VersionFilter, VersionState
from tests.protocol.arrivals import REFUSING, UID, Dump, arrival, dump_of, foreign_dump, forget, look, removal
from tests.protocol.checker import Violation
from tests.protocol.mutants_of_arrivals import (
    deleting_is_taken_over,
    gives_way_under_a_job,
    seen_before_recorded,
    taken_over_unrevived,
    unseen_is_doomed,
    unseen_is_offered,
)
from tests.protocol.mutants_of_cleanups import abandoned_under_a_lease, reviving_makes_stored
from tests.protocol.mutants_of_jobs import no_check_of_blobs
from tests.protocol.world import World


def removed(world: World) -> Dump:
    """The dump of a version that was removed after that."""
    dump = dump_of(world, "v1")
    world.run(world.rm("v1"))
    return dump


def condemn_and_die(world: World) -> None:
    """The first round of a cleanup condemns blobs; the second never comes."""
    cleanup = world.cleanup()
    world.past(cleanup, "end_job")
    world.crash(cleanup)


def doomed_before_the_arrival(world: World) -> None:
    """A version arrives when its blobs are ``deleting`` and their objects are still there."""
    dump = removed(world)
    cleanup = world.cleanup()
    world.upto(cleanup, "delete")
    late = arrival(world, dump)
    world.run(late, cleanup)
    assert late.error is None or isinstance(late.error, ExchangeError)


def condemned_before_the_arrival(world: World) -> None:
    """A version arrives when its blobs were condemned long ago, and a cleanup comes by before its segments are committed."""
    dump = removed(world)
    condemn_and_die(world)
    arriving = arrival(world, dump)
    world.past(arriving, "take_over_blobs")
    world.run(world.cleanup(), arriving)
    assert world.rows.version("v1").state is VersionState.VALID


def given_up_before_anybody_looked(world: World) -> None:
    """An import is killed when it has recorded its blobs."""
    arriving = arrival(world, foreign_dump(world, "v9", "XY"))
    world.past(arriving, "take_over_blobs")
    world.crash(arriving)
    world.run(world.cleanup())
    assert len(world.rows.blobs) == 2


def listed_before_it_was_recorded(world: World) -> None:
    """An object is listed by a survey and deleted by a cleanup as an orphan; then its version arrives."""
    world.run(world.backup("v2", "C"))
    dump = forget(world, "v2")
    survey = look(world)
    world.past(survey, "list_blobs")
    world.run(world.cleanup(full=True), arrival(world, dump), survey)
    assert survey.result.found == 0


def found_by_a_backup_before_anybody_looked(world: World) -> None:
    """A backup reads a block of which a blob was recorded by an import, and is not in the store."""
    dump = removed(world)
    world.run(world.cleanup(), arrival(world, dump), world.backup("v2", "B"))
    (blob,) = world.rows.blobs_of("v2")
    if world.rows.blobs[blob].state is BlobState.UNSEEN:
        raise Violation("v2 refers to what nobody saw")


def condemned_by_an_old_scan(world: World) -> None:
    """A cleanup that scanned segments before a version arrived condemns its blobs; the next one lifts the mark."""
    dump = removed(world)
    world.run(world.cleanup())
    late = world.cleanup()
    world.upto(late, "scan_blobs")
    world.run(arrival(world, dump))
    world.upto(late, "doomed_blobs")
    world.crash(late)
    assert all(blob.condemned is not None for blob in world.rows.blobs.values())
    world.run(world.cleanup())
    assert all(blob.condemned is None for blob in world.rows.blobs.values())


def arriving_twice_at_once(world: World) -> None:
    """A version arrives while it is arriving."""
    dump = foreign_dump(world, "v9", "XY")
    first = arrival(world, dump)
    world.upto(first, "append_segments")
    second = arrival(world, dump)
    world.run(second, first)
    assert isinstance(second.error, VersionExistsError)


def cleaned_up_while_arriving(world: World) -> None:
    """A cleanup comes by while a version arrives."""
    arriving = arrival(world, foreign_dump(world, "v9", "XY"))
    world.upto(arriving, "append_segments")
    world.run(world.cleanup(full=True), arriving)


def test_what_is_being_deleted_is_refused(rule_counts) -> None:
    """Committing the segment (rule 8) is another wall."""
    without, walls = deleting_is_taken_over, [no_check_of_blobs]
    rule_counts(doomed_before_the_arrival, without, "valid version v1 refers to", walls, REFUSING, v1="AB")


def test_what_is_condemned_is_revived(rule_counts) -> None:
    without = taken_over_unrevived
    rule_counts(condemned_before_the_arrival, without, "arrival v1 failed under a live lease", v1="AB")


def test_what_nobody_saw_goes_without_its_object(rule_counts) -> None:
    rule_counts(given_up_before_anybody_looked, unseen_is_doomed, "foreign objects are gone", v1="AB")


def test_only_a_look_that_began_later_makes_stored(rule_counts) -> None:
    rule_counts(listed_before_it_was_recorded, seen_before_recorded, "valid version v2 lacks the object", v1="AB")


def test_what_nobody_saw_is_not_offered_to_backups(rule_counts) -> None:
    rule_counts(found_by_a_backup_before_anybody_looked, unseen_is_offered, "v2 refers to what nobody saw", v1="AB")


def test_lifting_a_mark_does_not_make_unseen_stored(rule_counts) -> None:
    """Rule 3."""
    rule_counts(condemned_by_an_old_scan, reviving_makes_stored, "valid version v1 lacks the object", v1="AB")


def test_what_a_live_job_names_does_not_give_way(rule_counts) -> None:
    without = gives_way_under_a_job
    rule_counts(arriving_twice_at_once, without, "arrival v9 failed under a live lease", (), REFUSING, v1="AB")


def test_an_arriving_version_is_not_given_up_while_its_job_lives(rule_counts) -> None:
    without = abandoned_under_a_lease
    rule_counts(cleaned_up_while_arriving, without, "arrival v9 failed under a live lease", v1="AB")


# -- one record a (store, uid)


def test_a_version_that_comes_back_finds_its_records(world: World) -> None:
    dump, before = removed(world), world.rows.blobs
    world.run(arrival(world, dump))
    assert world.rows.blobs == before
    assert world.rows.version("v1").state is VersionState.VALID
    world.settle()


def test_two_versions_that_arrive_together_share_their_records(make_world) -> None:
    for turns in range(1, 6):
        world = make_world(v1="AB")
        other = foreign_dump(world, "v8", "YXY", uid=type(UID)("e" + UID[1:]))
        both = arrival(world, foreign_dump(world, "v9", "XY")), arrival(world, other)
        while not all(actor.ended for actor in both):
            for actor, steps in zip(both, (1, turns), strict=True):
                for _ in range(steps):
                    if not actor.ended:
                        world.step(actor)
        uids = [blob.uid for blob in world.rows.blobs.values()]
        assert len(uids) == len(set(uids)) == 4
        assert world.rows.blobs_of("v8") == [*reversed(world.rows.blobs_of("v9")), world.rows.blobs_of("v9")[1]]
        world.settle()


def test_a_blob_that_a_removed_version_shares_stays_for_the_one_that_arrives(make_world) -> None:
    world = make_world(v1="AB", v2="BC")
    dump = removed(world)
    arriving = arrival(world, dump)
    world.past(arriving, "take_over_blobs")
    world.run(world.rm("v2"), world.cleanup(), world.cleanup(full=True), arriving)
    assert world.rows.version("v1").state is VersionState.VALID
    assert {blob.state for blob in world.rows.blobs.values()} == {BlobState.STORED}
    world.settle()


@pytest.mark.parametrize("call", ["begin_job", "append_segments", "finish_version", "end_job"])
def test_what_a_dump_knows_to_be_damaged_damages_versions_that_came_before(world: World, call: str) -> None:
    world.run(world.rm("v1"), world.cleanup())
    first = arrival(world, foreign_dump(world, "v9", "XY"))
    world.upto(first, call)
    other = foreign_dump(world, "v8", "Y", uid=type(UID)("e" + UID[1:]))
    world.run(arrival(world, replace(other, blocks=[other.blocks[0]._replace(damaged=True)])), first)
    assert {version.state for version in world.rows.versions} == {VersionState.DAMAGED}
    world.settle()


# -- jobs that lost their lease


@pytest.mark.parametrize("call", ["take_over_blobs", "append_segments", "finish_version"])
def test_a_job_that_lost_its_lease_takes_nothing_in_any_more(world: World, call: str) -> None:
    late = arrival(world, foreign_dump(world, "v9", "XY"))
    world.upto(late, call)
    world.expire(late)
    world.run(world.cleanup(full=True), late)
    assert isinstance(late.error, JobLostError)
    assert "v9" not in {version.name for version in world.meta.versions(VersionFilter())}
    world.settle()
    assert len(world.rows.blobs) == 2


@pytest.mark.parametrize("call", ["take_over_blobs", "append_segments", "finish_version"])
@pytest.mark.parametrize("given_up", [False, True], ids=["at once", "after a cleanup"])
def test_a_version_that_arrived_anew_is_left_alone_by_the_job_before(world: World, call: str, given_up: bool) -> None:
    dump = foreign_dump(world, "v9", "XY")
    late = arrival(world, with_tag(dump, "old"))
    world.upto(late, call)
    world.expire(late)
    if given_up:
        world.run(world.cleanup(full=True))
    world.run(arrival(world, dump), look(world))
    documents = dict(world.store.documents)
    world.run(late)
    assert isinstance(late.error, JobLostError)
    assert world.store.documents == documents
    world.settle()
    assert get_version(world.meta, UID).tags == {"t"}


# -- the copy in the store


def with_tag(dump: Dump, tag: str) -> Dump:
    """The same version with another tag."""
    return replace(dump, version=replace(dump.version, tags=frozenset({tag})))


def test_what_a_sleeper_says_late_of_a_version_the_next_full_cleanup_puts_right(world: World) -> None:
    """It slept after its version was valid, until that had been removed and had arrived anew."""
    dump = foreign_dump(world, "v9", "XY")
    late = arrival(world, with_tag(dump, "old"))
    world.upto(late, "write_document")
    world.expire(late)
    world.run(removal(world, UID), world.cleanup(full=True), arrival(world, dump), late)
    world.run(world.cleanup(full=True))
    world.settle()
    assert get_version(world.meta, UID).tags == {"t"}


@pytest.mark.parametrize("call", ["create_document", "write_document", "add_statistics"])
def test_a_kill_before_the_copy_is_written_leaves_a_valid_version_and_the_next_cleanup_writes_it(
    world: World, call: str
) -> None:
    killed = arrival(world, foreign_dump(world, "v9", "XY"))
    world.upto(killed, "finish_version")
    world.upto(killed, call)
    world.crash(killed)
    world.run(world.cleanup())
    assert f"versions/{UID}.json" in world.store.documents
    world.settle()
    assert world.rows.version("v9").state is VersionState.VALID


@pytest.mark.parametrize("call", ["take_over_blobs", "append_segments", "finish_version"])
def test_a_copy_that_was_there_before_stays_when_an_arrival_is_given_up(world: World, call: str) -> None:
    """As of a version that the database forgot, and that `recover` brings back: no cleanup deletes anything before."""
    world.run(world.backup("v3", "CD"))
    documents, objects = dict(world.store.documents), dict(world.objects)
    dump = forget(world, "v3")
    world.store.documents.update(documents)
    killed = arrival(world, dump)
    world.upto(killed, call)
    world.crash(killed)
    for full in (False, True):
        refused = world.cleanup(full=full)
        with pytest.raises(Violation, match="StoreIdentityError"):
            world.run(refused)
    assert documents.keys() <= world.store.documents.keys()
    assert world.objects == objects
    world.run(arrival(world, dump))
    world.settle()
    assert world.rows.version("v3").state is VersionState.VALID


def test_a_version_that_was_removed_may_arrive_while_the_job_before_takes_its_copy_away(world: World) -> None:
    """The document of a version is deleted after its row was changed; what a sleeper deletes late, a cleanup writes again."""
    dump = foreign_dump(world, "v9", "XY")
    world.run(arrival(world, dump))
    going = removal(world, UID)
    world.upto(going, "delete_document")
    world.run(arrival(world, dump), going)
    world.run(world.cleanup())
    world.settle()
    assert world.rows.version("v9").state is VersionState.VALID
