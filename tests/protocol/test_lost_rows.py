"""Rows that are missing through no fault of the protocol: a base version that is not whole. INVARIANT 7: never zeros."""

from __future__ import annotations

from backy2_core.errors import BackyError
from tests.protocol.scheduler import Actor
from tests.protocol.world import World


def ended(actor: Actor) -> Actor:
    """Run to the end, unchecked."""
    while not actor.ended:
        actor.step()
    return actor


def test_block_kept_from_a_base_that_lost_its_map_is_refused(world: World) -> None:
    world.change("DELETE FROM backy2_maps")
    backup = ended(world.backup("v2", "A.", base="v1", changed=[1]))
    assert isinstance(backup.error, BackyError)


def test_segment_kept_from_a_base_that_lost_its_row_is_refused(world: World) -> None:
    world.change("DELETE FROM backy2_segments")
    backup = ended(world.backup("v2", "AB", base="v1"))
    assert isinstance(backup.error, BackyError)
