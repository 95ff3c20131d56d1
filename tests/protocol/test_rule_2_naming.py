"""Rule 2: a job checks that the versions it uses are valid and names them, in one transaction.

Were only the check left out, a job could name a version that is removed but still has rows; it would then keep them, since
rows go only when no live job names them. What counts is that nothing comes between check and name.
"""

from __future__ import annotations

from tests.protocol.mutants_of_cleanups import horizon_of_cleanup_only
from tests.protocol.mutants_of_jobs import named_too_late, unnamed
from tests.protocol.world import World


def removed_under_a_restore(world: World) -> None:
    """A version is removed and cleaned up while it is being restored."""
    restore = world.restore("v1")
    world.past(restore, "begin_job")
    world.run(world.rm("v1"), world.cleanup(), world.cleanup())
    world.run(restore)


def removed_under_a_backup(world: World) -> None:
    """A base version is removed and cleaned up while a backup keeps a block of it."""
    backup = world.backup("v2", "A.", base="v1", changed=[1])
    world.upto(backup, "append_segments")
    world.run(world.rm("v1"), world.cleanup(), world.cleanup())
    world.run(backup)


def removed_as_a_backup_begins(world: World) -> None:
    """A base version is removed and cleaned up around the moment when a backup begins."""
    backup = world.backup("v2", "AC", base="v1", changed=[1])
    world.past(backup, "begin_job")
    world.run(world.rm("v1"), world.cleanup(), world.cleanup())
    world.run(backup)


def test_version_stays_while_a_restore_names_it(rule_counts) -> None:
    rule_counts(removed_under_a_restore, unnamed, "restore v1 failed under a live lease", v1="AB")


def test_base_stays_while_a_backup_names_it(rule_counts) -> None:
    """The horizon is another wall here, unless the base's rows were condemned before the backup began."""
    walls = [horizon_of_cleanup_only]
    rule_counts(removed_under_a_backup, unnamed, "valid version v2 lacks the record", walls, v1="AB")


def test_nothing_comes_between_checking_and_naming_for_a_restore(rule_counts) -> None:
    rule_counts(removed_under_a_restore, named_too_late, "restore v1 failed under a live lease", v1="AB")


def test_nothing_comes_between_checking_and_naming_for_a_backup(rule_counts) -> None:
    rule_counts(removed_as_a_backup_begins, named_too_late, "v2", v1="AB")


def test_removed_version_goes_when_the_restore_that_names_it_has_ended(world: World) -> None:
    restore = world.restore("v1")
    world.past(restore, "begin_job")
    world.run(world.rm("v1"), world.cleanup())
    assert [version.name for version in world.rows.versions] == ["v1"]
    world.run(restore, world.cleanup())
    assert not world.rows.versions
    assert not world.objects
