"""Every manipulation of store and database is noticed, or does no harm, or is named as one that cannot be noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.site import BLOCK, Ended
from tests.tamper.manipulation import OK, Manipulation
from tests.tamper.matrix import matrix
from tests.tamper.world import World

MATRIX = matrix()
RECOVERED = [each for each in MATRIX if each.recover is not None]


def restore(world: World, version: str) -> tuple[int, bytes | None]:
    """How a restore ended, and what it wrote."""
    target = world.site.target()
    ended = no_traceback(world.site.call("restore", world.uid(version), f"file://{target}"))
    return ended.code, target.read_bytes() if target.exists() else None


def no_traceback(ended: Ended) -> Ended:
    """Whatever was done to the installation, a command says what is wrong."""
    assert ended.code != 100, ended
    assert "Traceback" not in ended.err
    return ended


def assert_no_wrong_byte(written: bytes | None, image: bytes) -> None:
    """All that was written is right; what is left out is zeros."""
    for at in range(0, len(written or b""), BLOCK):
        block = (written or b"")[at : at + BLOCK]
        assert block in (image[at : at + BLOCK], bytes(len(block))), f"wrong bytes at {at}"


@pytest.mark.parametrize("each", MATRIX, ids=[each.name for each in MATRIX])
def test_a_manipulation_is_noticed_by_restore_scrub_and_check(each: Manipulation, world: World) -> None:
    image = world.versions["new"].image
    each.do(world)
    manipulated = world.site.database.read_bytes()
    code, written = restore(world, "new")
    assert_no_wrong_byte(written, image)
    assert written == image or code != OK
    # Each looks at the database as it was manipulated, not as another marked it.
    world.site.database.write_bytes(manipulated)
    scrubbed = no_traceback(world.site.call("scrub", world.uid("new"))).code
    world.site.database.write_bytes(manipulated)
    checked = no_traceback(world.site.call("check")).code
    assert (code, scrubbed, checked) == (each.restore, each.scrub, each.check)
    if each.note.startswith("written again"):
        assert json.loads((world.documents / "keys.json").read_bytes())["slots"]


@pytest.mark.parametrize("each", RECOVERED, ids=[each.name for each in RECOVERED])
def test_a_manipulated_copy_of_metadata_never_recovers_to_a_wrong_image(
    each: Manipulation, world: World, tmp_path: Path
) -> None:
    """A version that comes back valid restores to its image; where one does not, the exit code says so."""
    each.do(world)
    world.site.database.unlink()
    ended = no_traceback(world.site.call("recover"))
    assert ended.code == each.recover, ended
    states = {version["uid"]: version["state"] for version in world.site.versions()}
    for name, made in world.versions.items():
        if made.uid in states:
            code, written = restore(world, name)
            assert_no_wrong_byte(written, made.image)
            assert (code == OK) == (states[made.uid] == "valid" and written == made.image)


def test_nothing_is_said_of_an_installation_that_nobody_touched(world: World) -> None:
    for name, made in world.versions.items():
        assert restore(world, name) == (OK, made.image)
        assert world.site.call("scrub", made.uid).code == OK
    assert world.site.call("check").code == OK
