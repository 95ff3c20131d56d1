"""Rule 3: condemned is a mark beside the state, and lifting it leaves the state as it was.

This counts for damaged blobs, and for ``unseen`` ones, of which the tests of rule 10 speak.
"""

from __future__ import annotations

from backy2_core.model.blob import BlobState
from tests.protocol.mutants_of_cleanups import reviving_makes_stored
from tests.protocol.stale import add_with_condemned_blobs
from tests.protocol.world import World


def damaged_while_condemned(world: World) -> None:
    """A blob in use is condemned by a late cleanup and found damaged; the next cleanup lifts the mark."""
    add_with_condemned_blobs(world, "v2", "C")
    world.spoil("v2")
    world.run(world.scrub("v2"), world.cleanup())
    world.run(world.backup("v3", "C"))
    world.check_proven()


def test_lifting_the_mark_leaves_a_damaged_blob_damaged(rule_counts) -> None:
    rule_counts(damaged_while_condemned, reviving_makes_stored, "valid version v3 has another content", v1="AB")


def test_mark_and_damage_stand_side_by_side(world: World) -> None:
    add_with_condemned_blobs(world, "v2", "C")
    world.spoil("v2")
    world.run(world.scrub("v2"))
    (blob,) = world.rows.blobs_of("v2")
    assert world.rows.blobs[blob].state is BlobState.DAMAGED
    assert world.rows.blobs[blob].condemned is not None
    world.run(world.cleanup())
    assert world.rows.blobs[blob].state is BlobState.DAMAGED
    assert world.rows.blobs[blob].condemned is None
