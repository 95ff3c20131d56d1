"""What differs between two versions: each block against the bytes of the images, and what is read to tell it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from backy2_core.engine.difference import Difference, Verdict
from backy2_core.engine.retention import remove
from backy2_core.errors import DamageError, UsageError
from backy2_core.model.segment import LOST_ENTRY, VersionDigest, digest_of
from backy2_core.model.version import VersionState
from tests.engine.edits import (
    MAP_EDITS,
    cut_segment,
    edit_map,
    edit_segment,
    longer_segment,
    sparse_entry,
    swap_entries,
    unknown_id,
)
from tests.engine.place import BLOCK, hint, image, numbered
from tests.engine.taken_over import take_over
from tests.engine.test_continuing import interrupt

SIGNS = {Verdict.SAME: "=", Verdict.DIFF: "#", Verdict.NEW_LEFT: "<", Verdict.NEW_RIGHT: ">"}


def compare(place, left, right, meta=None):
    """The comparison after its end, and a sign for each block."""
    difference = Difference(meta or place.meta, place.version(left), place.version(right))
    signs, end = "", 0
    for run in difference.runs():
        assert run.start == end < run.stop
        end = run.stop
        signs += SIGNS[run.verdict] * (run.stop - run.start)
    assert Counter(signs) == {SIGNS[verdict]: count for verdict, count in difference.counts.items()}
    return difference, signs


def signs_of(place, left, right):
    """A sign for each block of two images that are backed up one after the other."""
    difference, signs = compare(place, place.uid(left), place.uid(right))
    assert (difference.damaged_blocks, difference.incomparable_blocks) == (0, 0)
    return signs


@pytest.mark.parametrize(
    ("left", "right", "signs"),
    [
        ("abc", "abc", "==="),
        ("abc", "acb", "=##"),
        ("a.b.", "a.b.", "===="),
        ("a.b.", "ab..", "=##="),
        ("....", "....", "===="),
        ("abc", "ab", "==<"),
        ("ab", "abcd", "==>>"),
        ("", "ab", ">>"),
        ("ab", "", "<<"),
        ("", "", ""),
    ],
)
def test_each_block_has_its_verdict(place, left, right, signs):
    assert signs_of(place, image(left), image(right)) == signs


@pytest.mark.parametrize(
    ("left", "right", "signs"),
    [
        (image("a", "tail"), image("a", "tail"), "=="),
        (image("a", "tail"), image("a", "tale"), "=#"),
        (image("a", "tail"), image("ab"), "=#"),
        (image("a") + bytes(10), image("a") + bytes(10), "=="),
        (image("a") + bytes(10), image("a") + bytes(11), "=#"),
        (image("a") + bytes(10), image("a."), "=#"),
        (image("a") + bytes(10), image("a.b"), "=#>"),
        (image("a.b"), image("a") + bytes(10), "=#<"),
        (bytes(10), bytes(11), "#"),
    ],
)
def test_a_last_block_of_another_length_differs_even_where_both_are_zeros(place, left, right, signs):
    assert signs_of(place, left, right) == signs


@pytest.mark.parametrize("seed", range(6))
def test_verdicts_are_those_of_the_bytes(place, seed):
    dice = random.Random(seed)
    left = bytearray(numbered(500))
    right = bytearray(left)
    for _ in range(dice.choice((0, 3, 200))):
        at = dice.randrange(500) * BLOCK
        right[at : at + BLOCK] = dice.choice([bytes(BLOCK), b"x" * BLOCK])
    right = (right + numbered(300, 7))[
        : dice.choice((len(right), 130 * BLOCK, 260 * BLOCK + 7, 600 * BLOCK, 513 * BLOCK))
    ]
    expected = ""
    for at in range(0, max(len(left), len(right)), BLOCK):
        one, other = left[at : at + BLOCK], right[at : at + BLOCK]
        expected += ("=" if one == other else "#") if one and other else "<" if one else ">"
    assert signs_of(place, bytes(left), bytes(right)) == expected


def test_the_verdicts_are_those_of_the_original(place):
    take_over(place.meta, place.engine.store, "213-plain-bs65536.sqlite", place.folder)
    uids = [version.uid for version in place.versions()]
    _, signs = compare(place, *uids[:2])
    assert len(signs) == 129
    assert [block for block, sign in enumerate(signs) if sign != "="] == [1, 38, 40, 41, 70, 73, 101, 117]


def test_what_was_stored_twice_is_the_same_all_the_same(place):
    engine = place.engine_with(deduplication=False)
    left = place.uid(image("abc."), engine=engine)
    right = place.uid(image("abx."), engine=engine)
    assert compare(place, left, right)[1] == "==#="


class Watched:
    """A database that counts the segments and records that are read."""

    def __init__(self, meta):
        self._meta = meta
        self.segments = self.blobs = 0

    def __getattr__(self, name):
        return getattr(self._meta, name)

    def read_segments(self, ids):
        self.segments += len(ids)
        return self._meta.read_segments(ids)

    def read_blobs(self, ids):
        self.blobs += len(ids)
        return self._meta.read_blobs(ids)


def test_only_segments_that_differ_are_read(place):
    content = numbered(128 * 6)
    left = place.uid(content)
    at = 300 * BLOCK
    changed = content[:at] + b"x" * BLOCK + content[at + BLOCK :]
    right = place.uid(changed, base=left, hints=[hint(300)])
    meta = Watched(place.meta)
    assert compare(place, left, right, meta)[1] == "=" * 300 + "#" + "=" * 467
    assert (meta.segments, meta.blobs) == (2, 2)


def test_segments_of_one_digest_are_not_read(place):
    engine = place.engine_with(deduplication=False)
    left, right = place.uid(numbered(300), engine=engine), place.uid(engine=engine)
    meta = Watched(place.meta)
    assert compare(place, left, right, meta)[1] == "=" * 300
    assert (meta.segments, meta.blobs) == (0, 0)


def test_versions_of_different_block_sizes_are_refused(place):
    left = place.uid(image("ab"))
    right = place.uid(engine=place.engine_with(block_size=2 * BLOCK))
    with pytest.raises(UsageError, match=r"4096 bytes.*8192"):
        compare(place, left, right)


def test_blocks_of_different_hash_functions_count_as_different_and_are_told(place):
    left = place.uid(image("abc."))
    right = place.uid(image("abcd"), engine=place.engine_with(hash_function="sha256"))
    difference, signs = compare(place, left, right)
    assert (signs, difference.incomparable_blocks) == ("####", 3)


def test_blocks_that_were_kept_unread_compare_whatever_the_function_is_now(place):
    left = place.uid(image("abcdefgh"))
    engine = place.engine_with(hash_function="sha256", sanity_check_blocks=0)
    right = place.uid(image("xbcdefgh"), base=left, hints=[hint(0)], engine=engine)
    difference, signs = compare(place, left, right)
    assert (signs, difference.incomparable_blocks) == ("#=======", 1)


def test_blocks_that_an_incomplete_version_does_not_have_yet_are_absent(place, caplog):
    content = numbered(600)
    left = interrupt(place, content=content)
    assert place.state(left) is VersionState.INCOMPLETE
    right = place.uid(content[: 500 * BLOCK])
    there = place.meta.map_length(place.version(left).id) * 128
    assert there < 500
    assert compare(place, left, right)[1] == "=" * there + ">" * (500 - there)
    assert compare(place, right, left)[1] == "=" * there + "<" * (500 - there)
    assert f"Version {left} is incomplete: it has {there} blocks of 600" in caplog.text


@pytest.mark.parametrize("edit", MAP_EDITS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_damaged_map_is_refused(place, edit, side):
    edited, other = place.uid(numbered(300)), place.uid(numbered(300, 2))
    edit_map(place, edited, edit)
    with pytest.raises(DamageError, match=edited):
        compare(place, *((edited, other) if side == "left" else (other, edited)))


@pytest.mark.parametrize("edit", [swap_entries, sparse_entry, cut_segment, longer_segment])
def test_blocks_of_a_damaged_segment_count_as_different_and_as_damaged(place, edit, caplog):
    left = place.uid(numbered(300))
    right = place.uid(numbered(129) + numbered(171, 2))
    edit_segment(place, edit, row=1)
    difference, signs = compare(place, left, right)
    assert (signs, difference.damaged_blocks) == ("=" * 128 + "#" * 172, 128)
    assert f"Version {left}, from block 128 on" in caplog.text


def test_a_segment_that_is_gone_counts_as_damaged(place):
    left, right = place.uid(numbered(300)), place.uid(numbered(300, 2))

    class Forgetful(Watched):
        def read_segments(self, ids):
            return {}

    difference, signs = compare(place, left, right, Forgetful(place.meta))
    assert (signs, difference.damaged_blocks) == ("#" * 300, 600)


def test_blobs_without_a_record_keep_nothing_from_the_end(place):
    left, right = place.uid(image("abc")), place.uid(image("axc"))
    place.sql(f"DELETE FROM {place.table('blobs')}")
    difference, signs = compare(place, left, right)
    assert (signs, difference.incomparable_blocks, difference.damaged_blocks) == ("=#=", 0, 0)


def test_ids_say_nothing_checksums_do(place):
    """Where blobs are is no part of a digest; what they hold is."""
    left, right = place.uid(image("abcd")), place.uid(image("abcx"))
    edit_segment(place, unknown_id)
    assert compare(place, left, right)[1] == "===#"


def test_blocks_that_both_versions_lost_are_not_known_to_be_the_same(place):
    left, right = damaged_pair(place, image("abcd"), lost_entry)
    assert compare(place, left, right)[1] == "=#=="
    assert compare(place, left, left)[1] == "=#=="


def lost_entry(entries):
    entries[1] = LOST_ENTRY


def damaged_pair(place, content, edit):
    """Two damaged versions of one map that was edited before it was known to be right."""
    left = place.uid(content)
    right = place.uid(content)
    edit_segment(place, edit)
    for uid in (left, right):
        redigest(place, uid)
        place.meta.set_version_state(place.version(uid).id, VersionState.DAMAGED, ())
    return left, right


def redigest(place, uid):
    """Make the digests of a version fit its edited map."""
    version = place.version(uid)
    digest = VersionDigest(version.geometry)
    for number in place.meta.read_map(version.id):
        segment = place.meta.read_segments([number])[number]
        place.sql(f"UPDATE {place.table('segments')} SET digest = ? WHERE id = ?", digest_of(segment.data), number)
        digest.add(digest_of(segment.data))
    place.sql(f"UPDATE {place.table('versions')} SET digest = ? WHERE uid = ?", digest.digest(), uid)


def test_a_damaged_version_compares_as_it_was_backed_up(place):
    left = place.uid(image("abc"))
    right = place.uid(image("axc"))
    place.damage(b"a" * BLOCK, None)
    place.scrub(left)
    assert place.state(left) is VersionState.DAMAGED
    assert compare(place, left, right)[1] == "=#="


def test_segments_that_go_with_a_version_that_is_removed_meanwhile_count_as_damaged(place):
    left, right = place.uid(numbered(300)), place.uid(numbered(300, 2))
    difference = Difference(place.meta, place.version(left), place.version(right))
    remove(place.engine, place.version(left))
    place.cleanup()
    place.cleanup()
    assert {run.verdict for run in difference.runs()} == {Verdict.DIFF}
    assert difference.damaged_blocks == 300
