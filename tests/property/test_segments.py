"""The packed block map: what goes in comes out, and every change of content or position changes the digest."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from backy2_core.engine.draft import Draft
from backy2_core.model.block import Geometry
from backy2_core.model.segment import (
    DIGEST_BYTES,
    ENTRY_BYTES,
    LEAF_BYTES,
    LOST_ENTRY,
    LOST_LEAF,
    NO_LEAF,
    SEGMENT_BLOCKS,
    SPARSE_ENTRY,
    VersionDigest,
    blob_ids,
    block_ids,
    digest_of,
    entry_count,
    leaf_of,
    pack_entry,
    unpack,
)

CHECKSUMS = st.binary(min_size=LEAF_BYTES, max_size=64)
STORED = st.tuples(st.integers(1, 2**63 - 1), CHECKSUMS)
ENTRIES = st.lists(STORED | st.just("sparse") | st.just("lost"), max_size=20)
DIGESTS = st.lists(st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES), max_size=6)
FIXED = {"sparse": SPARSE_ENTRY, "lost": LOST_ENTRY}


def pack(entries):
    return b"".join(FIXED[e] if isinstance(e, str) else pack_entry(*e) for e in entries)


def ids(entries):
    return [{"sparse": 0, "lost": -1}[e] if isinstance(e, str) else e[0] for e in entries]


def leaves(entries):
    return [{"sparse": NO_LEAF, "lost": LOST_LEAF}[e] if isinstance(e, str) else leaf_of(e[1]) for e in entries]


@given(ENTRIES)
def test_unpacking_gives_back_what_was_packed(entries):
    data = pack(entries)
    assert len(data) == ENTRY_BYTES * len(entries)
    assert entry_count(data) == len(entries)
    assert [e.blob for e in unpack(data)] == ids(entries)
    assert [e.leaf for e in unpack(data)] == leaves(entries)
    assert list(block_ids(data)) == ids(entries)
    assert blob_ids(data) == {n for n in ids(entries) if n > 0}


@given(ENTRIES, ENTRIES)
def test_segments_have_one_digest_exactly_if_their_blocks_have_the_same_content(one, other):
    assert (digest_of(pack(one)) == digest_of(pack(other))) == (leaves(one) == leaves(other))
    assert len(digest_of(pack(one))) == DIGEST_BYTES


@given(st.lists(STORED, min_size=2, max_size=20), st.data())
def test_swapped_entries_change_the_digest(entries, data):
    a, b = data.draw(st.tuples(*[st.integers(0, len(entries) - 1)] * 2))
    assume(leaf_of(entries[a][1]) != leaf_of(entries[b][1]))
    swapped = list(entries)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    assert digest_of(pack(swapped)) != digest_of(pack(entries))


@given(st.lists(STORED, min_size=1, max_size=20), st.integers(1, 2**62))
def test_moving_a_blob_to_another_record_changes_no_digest(entries, step):
    moved = [((number + step) % (2**63 - 1) + 1, checksum) for number, checksum in entries]
    assert digest_of(pack(moved)) == digest_of(pack(entries))


@given(ENTRIES)
def test_a_cut_or_longer_segment_has_another_digest(entries):
    assert digest_of(pack([*entries, "sparse"])) != digest_of(pack(entries))


def version_digest(geometry, digests):
    hasher = VersionDigest(geometry)
    for digest in digests:
        hasher.add(digest)
    return hasher.digest()


@given(DIGESTS, DIGESTS, st.integers(0, 2000), st.integers(0, 2000), *[st.sampled_from([512, 4096])] * 2)
def test_versions_have_one_digest_exactly_if_size_block_size_and_segments_agree(a, b, size, other, block, other_block):
    one, two = Geometry(size, block), Geometry(other, other_block)
    same = (a, one) == (b, two)
    assert (version_digest(one, a) == version_digest(two, b)) == same


@given(DIGESTS.filter(lambda d: len(set(d)) > 1))
def test_swapped_segments_change_the_digest_of_the_version(digests):
    geometry = Geometry(10, 512)
    turned = digests[::-1]
    assume(turned != digests)
    assert version_digest(geometry, turned) != version_digest(geometry, digests)


def test_the_digest_may_be_asked_for_while_segments_are_still_added():
    whole = VersionDigest(Geometry(10, 512))
    whole.add(b"a" * 32)
    between = whole.digest()
    assert between == whole.digest() == version_digest(Geometry(10, 512), [b"a" * 32])
    whole.add(b"b" * 32)
    assert whole.digest() == version_digest(Geometry(10, 512), [b"a" * 32, b"b" * 32])


@st.composite
def steps(draw):
    """Blocks of one segment, each with how it is settled, in any order."""
    index, count = draw(st.integers(0, 3)), draw(st.integers(1, SEGMENT_BLOCKS))
    fates = draw(st.lists(STORED | st.just("sparse") | st.just("kept"), min_size=count, max_size=count))
    return index, fates, draw(st.permutations(range(count)))


@given(steps(), st.binary(min_size=ENTRY_BYTES, max_size=ENTRY_BYTES))
def test_a_draft_packs_what_each_block_was_settled_as_in_any_order(case, kept):
    index, fates, order = case
    first = index * SEGMENT_BLOCKS
    base = kept * len(fates)
    draft = Draft(index, len(fates))
    draft.waiting = sum(fate != "kept" for fate in fates)
    for n in order:
        if fates[n] == "kept":
            draft.keep(first + n, first + n + 1, base)
        elif fates[n] == "sparse":
            draft.clear(first + n)
        else:
            draft.settle(first + n, *fates[n])
    wanted = b"".join(kept if fate == "kept" else pack([fate]) for fate in fates)
    segment = draft.pack()
    assert draft.waiting == 0
    assert segment.data == wanted
    assert segment.digest == digest_of(wanted)
    assert set(segment.fresh) == {fate[0] for fate in fates if not isinstance(fate, str)}


@given(st.lists(st.tuples(st.integers(1, 5), CHECKSUMS), min_size=1, max_size=20), st.sets(st.integers(1, 7)))
def test_a_reopened_draft_waits_for_exactly_the_blocks_of_lost_blobs(settled, lost):
    draft = Draft(1, len(settled))
    draft.waiting = len(settled)
    for n, (blob, checksum) in enumerate(settled, SEGMENT_BLOCKS):
        draft.settle(n, blob, checksum)
    wanted = [n for n, (blob, _) in enumerate(settled, SEGMENT_BLOCKS) if blob in lost]
    assert draft.reopen(lost) == wanted
    assert draft.waiting == len(wanted)
