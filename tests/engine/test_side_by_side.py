"""INVARIANT 4: rm and cleanups in the middle of other jobs take nothing that those use. No waiting: hooks in the store."""

from __future__ import annotations

import pytest

from backy2_core.engine.retention import remove
from backy2_core.errors import BackyError
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, hint, numbered

CONTENT = numbered(300)


def remove_and_clean(place, uid):
    """What another host might do at any moment."""

    def act():
        remove(place.engine, place.version(uid), force=True)
        for full in (False, True, True):
            place.cleanup(full=full)

    return act


def fails_nowhere(place, uid, content):
    assert place.state(uid) is VersionState.VALID
    assert place.restored(uid) == content
    assert place.scrub(uid).damaged_blocks == 0
    place.cleanup(full=True)
    assert place.objects() == place.records()
    assert place.restored(uid) == content


@pytest.mark.parametrize(("method", "call"), [("put", 1), ("put", 40), ("flush", 1), ("write_document", 1)])
def test_a_backup_whose_base_is_removed_meanwhile_is_whole(place, method, call):
    base = place.uid(CONTENT)
    content = CONTENT[: 200 * BLOCK] + numbered(100, seed=9)
    place.data.run(method, remove_and_clean(place, base), call=call)
    fails_nowhere(place, place.uid(content, base=base, hints=[hint(200, 100)]), content)


@pytest.mark.parametrize(("method", "call"), [("put", 1), ("put", 40), ("flush", 1), ("write_document", 1)])
def test_a_backup_whose_known_blocks_lose_their_last_version_meanwhile_is_whole(place, method, call):
    other = place.uid(CONTENT, name="other")
    content = CONTENT[: 200 * BLOCK] + numbered(100, seed=9)
    place.data.run(method, remove_and_clean(place, other), call=call)
    fails_nowhere(place, place.uid(content), content)


def test_a_scrub_whose_version_is_removed_meanwhile_finds_no_damage(place):
    uid = place.uid(CONTENT)
    place.data.run("get", remove_and_clean(place, uid), call=10)
    assert place.scrub(uid).damaged_blocks == 0
    place.cleanup(full=True)
    assert place.objects() == place.records() == set()


def test_a_version_that_is_removed_while_it_is_made_does_not_become_valid(place):
    place.write(CONTENT)

    def act():
        (version,) = place.versions()
        place.meta.remove_version(version.id)
        place.cleanup(full=True)

    place.data.run("put", act)
    with pytest.raises(BackyError):
        place.backup()
    assert {version.state for version in place.versions()} <= {VersionState.REMOVED}
    place.cleanup(full=True)
    assert place.objects() == place.records() == set()
    assert place.versions() == []


def test_two_backups_at_once_may_share_blocks(place):
    uids = []
    place.data.run("put", lambda: uids.append(place.uid(name="second")), call=5)
    uids.append(place.uid(CONTENT, name="first"))
    for uid in uids:
        fails_nowhere(place, uid, CONTENT)


def test_an_incremental_backup_adds_only_the_segments_that_changed(place):
    base = place.uid(CONTENT)
    count = f"SELECT count(*) FROM {place.table('segments')}"
    assert place.sql(count) == [(3,)]
    content = CONTENT[: 150 * BLOCK] + numbered(1, seed=4) + CONTENT[151 * BLOCK :]
    uid = place.uid(content, base=base, hints=[hint(150)])
    assert place.sql(count) == [(4,)]
    assert place.restored(uid) == content


def test_a_full_backup_of_an_unchanged_image_adds_no_segment(place):
    place.uid(CONTENT)
    place.uid()
    assert place.sql(f"SELECT count(*) FROM {place.table('segments')}") == [(3,)]
