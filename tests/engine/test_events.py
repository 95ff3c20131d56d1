"""What listeners are told, in which order."""

from __future__ import annotations

import pytest

from backy2_core.engine.retention import remove
from backy2_core.errors import BackyError, DamageError
from backy2_core.model.event import (
    BackupFinished,
    CleanupFinished,
    DamageFound,
    JobBegan,
    JobFailed,
    RestoreFinished,
    ScrubFinished,
    VersionRemoved,
)
from backy2_core.model.job import JobKind
from tests.engine.place import BLOCK, hint, image


def told(place):
    """The classes of the events since the last call."""
    events, place.events[:] = list(place.events), []
    return [type(event) for event in events]


def test_each_job_begins_and_ends(place):
    uid = place.uid(image("ab"))
    assert told(place) == [JobBegan, BackupFinished]
    place.restored(uid)
    assert told(place) == [JobBegan, RestoreFinished]
    place.scrub(uid)
    assert told(place) == [JobBegan, ScrubFinished]
    remove(place.engine, place.version(uid))
    assert told(place) == [VersionRemoved]
    place.cleanup()
    assert told(place) == [JobBegan, JobBegan, CleanupFinished]


def test_damage_is_told_between_the_beginning_and_the_end(place):
    uid = place.uid(image("abb"))
    place.damage(b"b" * BLOCK, None)
    told(place)
    place.restore(uid)
    assert told(place) == [JobBegan, DamageFound, DamageFound, RestoreFinished]
    place.scrub(uid)
    scrubbed = place.events[-1]
    assert told(place) == [JobBegan, DamageFound, DamageFound, ScrubFinished]
    assert (scrubbed.checked_blocks, scrubbed.damaged_blocks, scrubbed.different_blocks) == (1, 2, 0)


def test_a_finished_backup_is_told_with_its_version_and_statistics(place):
    result = place.backup(image("a"))
    event = place.events[-1]
    assert (event.version, event.statistics) == (result.version, result.statistics)


def test_a_failure_is_told_with_the_message_that_the_user_sees(place):
    base = place.uid(image("ab"))
    told(place)
    with pytest.raises(BackyError) as caught:
        place.backup(image("xy"), base=base, hints=[hint(0)])
    assert [type(e) for e in place.events] == [JobBegan, JobFailed]
    assert place.events[-1].message == str(caught.value)
    assert {event.kind for event in place.events} == {JobKind.BACKUP}
    assert place.events[-1].name == "vm"


def test_an_interruption_is_a_failure_too(place):
    place.data.fail("put", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.backup(image("a"))
    assert told(place) == [JobBegan, JobFailed]


def test_a_damaged_map_is_told_as_a_failure(place):
    uid = place.uid(image("a"))
    place.sql(f"DELETE FROM {place.table('maps')}")
    told(place)
    for call in (place.restore, place.scrub):
        with pytest.raises(DamageError):
            call(uid)
        assert place.events[-1].name == "vm"
        assert told(place) == [JobBegan, JobFailed]


def test_a_refused_job_never_began(place):
    place.write(image("a"))
    with pytest.raises(BackyError):
        place.backup(base="no-such")
    with pytest.raises(BackyError):
        place.restore("no-such")
    assert told(place) == []


def test_a_version_that_is_given_up_is_told_as_removed(place):
    place.data.fail("put", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.backup(image("a"))
    told(place)
    place.cleanup(engine=place.engine_with(abandon_incomplete_s=-1.0))
    assert VersionRemoved in told(place)


def test_a_dry_run_tells_nothing(place):
    place.uid(image("a"))
    told(place)
    place.cleanup(full=True, dry_run=True)
    assert told(place) == []
