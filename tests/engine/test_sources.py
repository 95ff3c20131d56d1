"""Sources that grew, shrank or end inside a block, in every combination with hints and a base."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from backy2_core.engine.backup import backup
from backy2_core.engine.requests import BackupRequest, ScrubRequest
from backy2_core.engine.scrub import scrub
from backy2_core.errors import SourceError
from backy2_core.model.version import VersionState
from backy2_core.testing.faulty_devices import FaultySource
from backy2_core.testing.memory import MemorySource
from tests.engine.place import BLOCK, counts_of, hint, numbered

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 700, 128 * BLOCK, 130 * BLOCK + 1]
FITTING = [(old, new) for old, new in itertools.product(SIZES, SIZES)]
DATA = numbered(140, seed=1)
CHANGED = b"changed!" * (BLOCK // 8)


def cut(size):
    """An image of this size; each byte is the same at every size."""
    return DATA[:size]


def changes(old, new):
    """An image of the new size with one changed block in its middle, and hints that say just that."""
    content = bytearray(cut(new))
    middle = new // BLOCK // 2
    content[middle * BLOCK : (middle + 1) * BLOCK] = CHANGED[: max(0, min(BLOCK, new - middle * BLOCK))]
    length = min(BLOCK, new - middle * BLOCK)
    return bytes(content), [{"offset": middle * BLOCK, "length": length}] if length else []


@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_backed_up_and_restored(place, size):
    result = place.backup(cut(size))
    assert result.version.state is VersionState.VALID
    assert place.restored(result.version.uid) == cut(size)
    assert place.scrub(result.version.uid, source=True).different_blocks == 0


def test_what_a_source_does_not_stand_by_when_all_was_read_is_never_valid(place):
    base = place.uid(cut(3 * BLOCK))

    def opened(url):
        source = FaultySource(MemorySource(cut(3 * BLOCK)))
        source.fail("confirm", SourceError("the snapshot was removed"))
        return source

    engine = dataclasses.replace(place.engine, open_source=opened)
    with pytest.raises(SourceError, match="was removed"):
        backup(engine, BackupRequest("memory://", "vm"))
    states = {version.uid: version.state for version in place.versions()}
    assert list(states.values()).count(VersionState.VALID) == 1
    with pytest.raises(SourceError, match="was removed"):
        scrub(engine, ScrubRequest(base, source="memory://"))


@pytest.mark.parametrize(("old", "new"), FITTING)
def test_a_resized_source_with_base_and_hints(place, old, new):
    base = place.uid(cut(old))
    content, hints = changes(old, new)
    result = place.backup(content, base=base, hints=hints)
    assert place.restored(result.version.uid) == content
    assert place.restored(base) == cut(old)


@pytest.mark.parametrize(("old", "new"), FITTING)
def test_a_resized_source_with_empty_hints_has_its_tail_read(place, old, new):
    base = place.uid(cut(old))
    result = place.backup(cut(new), base=base, hints=[])
    assert place.restored(result.version.uid) == cut(new)


@pytest.mark.parametrize(("old", "new"), [(5 * BLOCK + 700, BLOCK + 1), (BLOCK + 1, 5 * BLOCK + 700)])
def test_a_resized_source_with_a_base_alone_is_read_in_full(place, old, new):
    base = place.uid(cut(old))
    result = place.backup(cut(new), base=base)
    assert counts_of(result)[0] == -(-new // BLOCK)
    assert place.restored(result.version.uid) == cut(new)


@pytest.mark.parametrize("size", SIZES)
def test_hints_without_a_base_for_any_size(place, size):
    result = place.backup(cut(size), hints=[{"offset": 0, "length": size}])
    assert place.restored(result.version.uid) == cut(size)


def test_hints_without_a_base_leave_out_what_they_do_not_name(place):
    uid = place.uid(cut(3 * BLOCK), hints=[hint(1)])
    assert place.restored(uid) == bytes(BLOCK) + cut(2 * BLOCK)[BLOCK:] + bytes(BLOCK)


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(("offset", "length"), [(0, 1), (100, 50), (BLOCK - 1, 2), (BLOCK, 2 * BLOCK - 1)])
def test_a_hint_over_part_of_a_block_makes_it_be_read(place, exists, offset, length):
    base = place.uid(cut(4 * BLOCK))
    content = bytearray(cut(4 * BLOCK))
    content[offset : offset + length] = b"x" * length if exists else bytes(length)
    uid = place.uid(bytes(content), base=base, hints=[{"offset": offset, "length": length, "exists": exists}])
    assert place.restored(uid) == content


def test_a_vanished_tail_that_ends_inside_a_block_is_sparse_unread(place):
    base = place.uid(cut(2 * BLOCK + 700))
    content = cut(2 * BLOCK) + bytes(700)
    result = place.backup(content, base=base, hints=[{"offset": 2 * BLOCK, "length": 700, "exists": "false"}])
    assert counts_of(result) == (0, 0, 0, 1, 2)
    assert place.restored(result.version.uid) == content


def test_two_vanished_ranges_may_cover_a_block_together(place):
    base = place.uid(cut(2 * BLOCK))
    hints = [{"offset": 0, "length": 512, "exists": False}, {"offset": 512, "length": BLOCK - 512, "exists": False}]
    result = place.backup(bytes(BLOCK) + cut(2 * BLOCK)[BLOCK:], base=base, hints=hints)
    assert counts_of(result) == (0, 0, 0, 1, 1)


def test_the_base_decides_the_block_size(place):
    base = place.uid(cut(5 * BLOCK), engine=place.engine_with(block_size=2 * BLOCK))
    result = place.backup(base=base, hints=[])
    assert result.version.geometry.block_size == 2 * BLOCK
    assert place.restored(result.version.uid) == cut(5 * BLOCK)


def test_kept_blocks_keep_their_hash(place):
    base = place.uid(cut(4 * BLOCK), engine=place.engine_with(hash_function="sha512"))
    content = CHANGED + cut(4 * BLOCK)[BLOCK:]
    uid = place.uid(content, base=base, hints=[hint(0)])
    assert place.restored(uid) == content
    assert place.scrub(uid).damaged_blocks == 0


def test_a_source_that_is_not_there_is_an_error_of_the_source(place):
    with pytest.raises(SourceError, match="image"):
        place.backup()
    assert place.versions() == []
    assert place.live_jobs() == []


@pytest.mark.parametrize("content", [b"", b"x"])
def test_the_smallest_sources_go_through_everything(place, content):
    first = place.uid(content)
    second = place.uid(content, base=first, hints=[])
    for uid in (first, second):
        assert place.restored(uid) == content
        assert place.scrub(uid, source=True).damaged_blocks == 0
    place.cleanup(full=True)
    assert len(place.objects()) == len(content)
