"""What versions take and share: against the original's figures, against a count block by block, against the store."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from backy2_core.contracts.meta_backend import KeptSegment
from backy2_core.engine.retention import remove
from backy2_core.engine.usage import measure_usage
from backy2_core.model.blob import BlobUid, NewBlob
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind, NewJob
from backy2_core.model.segment import LOST_ENTRY, SPARSE_ENTRY, pack_entry
from backy2_core.model.version import NewVersion, VersionUid
from tests.engine.edits import edit_segment, unknown_id
from tests.engine.place import BLOCK, image, numbered
from tests.engine.taken_over import segments_of, take_over

ORIGINAL = {
    "213-plain-bs65536.sqlite": [
        (6292690, 2097152, 0, 6030546, 262144, 262144),
        (6161618, 2228224, 0, 6161618, 0, 0),
        (6096082, 2293760, 0, 6030546, 65536, 65536),
        (1049353, 458752, 65536, 0, 918281, 983817),
    ],
    "213-enc-bs4096.sqlite": [
        (737280, 311296, 0, 716800, 20480, 20480),
        (729088, 319488, 0, 729088, 0, 0),
        (724992, 323584, 0, 712704, 12288, 12288),
        (86793, 40960, 12288, 0, 62217, 74505),
    ],
}
"""What `du` of the original printed for these databases, without the column Est. Space."""


def figures(usage):
    return (
        usage.real_bytes,
        usage.null_bytes,
        usage.own_bytes,
        usage.others_bytes,
        usage.individual_bytes,
        usage.freed_bytes,
    )


@pytest.mark.parametrize("name", ORIGINAL)
def test_the_figures_are_those_of_the_original_but_for_the_estimated_share(place, name):
    take_over(place.meta, place.engine.store, name, place.folder)
    usages = measure_usage(place.meta)
    assert [figures(usage) for usage in usages] == ORIGINAL[name]
    stored = sum(row[0] for row in place.sql(f"SELECT size FROM {place.table('blobs')}"))
    assert sum(usage.space_bytes for usage in usages) == pytest.approx(stored, abs=len(usages))


def by_block(maps, blobs):
    """The same figures, counted block by block; ``maps`` are (geometry, blob ids), ``blobs`` (size, stored size) by id."""
    everywhere = Counter(blob for _, ids in maps for blob in ids)
    for geometry, ids in maps:
        here, row = Counter(ids), Counter()
        for number, blob in enumerate(ids):
            length = geometry.length(number)
            row["null"] += length * (blob == 0)
            row["real"] += length * (blob > 0)
            row["others"] += length * (blob > 0 and everywhere[blob] > here[blob])
            row["individual"] += length * (blob > 0 and everywhere[blob] == 1)
            row["space"] += blobs[blob][1] / everywhere[blob] if blob > 0 else 0
        for blob, count in here.items():
            if blob > 0 and everywhere[blob] == count:
                row["own"] += blobs[blob][0] * (count - 1)
                row["freed"] += blobs[blob][1]
        yield tuple(row[key] for key in ("real", "null", "own", "others", "individual", "freed")), row["space"]


class Maker:
    """Makes versions from blob numbers; ``maps`` and ``blobs`` are what :func:`by_block` counts."""

    def __init__(self, place, dice):
        self.meta, self.maps, self.blobs = place.meta, [], {0: (0, 0), -1: (0, 0)}
        self._job = self.meta.begin_job(NewJob(JobKind.BACKUP, "host", 1, "a test", 3600.0)).id
        new = [
            NewBlob(BlobUid(f"{n:032x}"), BLOCK, dice.randrange(BLOCK), "sha512", bytes([n % 251]) * 64)
            for n in range(900)
        ]
        self.ids = self.meta.add_blobs(self._job, place.engine.store, new)
        self.blobs |= {number: (blob.size, blob.stored_size) for number, blob in zip(self.ids, new, strict=True)}

    def make(self, number, ids, *, incomplete=False):
        """A version of these blob ids; an incomplete one has one block more than its map."""
        geometry = Geometry((len(ids) + incomplete) * BLOCK, BLOCK)
        version = self.meta.create_version(
            self._job, NewVersion(VersionUid(f"{number:036}"), f"vm{number:03}", "", geometry, "sha512", "made")
        )
        entries = [self._entry(blob) for blob in ids]
        self.meta.append_segments(self._job, version.id, segments_of(entries))
        if not incomplete:
            self.meta.finish_version(self._job, version.id, bytes(32), None)
        self.maps.append((geometry, ids))
        return version

    def _entry(self, blob):
        return {0: SPARSE_ENTRY, -1: LOST_ENTRY}.get(blob) or pack_entry(blob, bytes([blob % 251]) * 16)


def make_family(place, seed):
    """Some versions that share segments and blobs, repeat some, and lack some."""
    dice = random.Random(seed)
    maker = Maker(place, dice)
    base = [dice.choice(maker.ids[:500]) if dice.random() < 0.8 else 0 for _ in range(128 * 5)]
    for number in range(8):
        ids = list(base)
        for _ in range(dice.choice((0, 1, 20))):
            ids[dice.randrange(len(ids))] = dice.choice([0, -1, *maker.ids[300:]])
        ids[128 * 2 : 128 * 3] = ids[:128] if number % 3 else ids[128 * 2 : 128 * 3]
        incomplete = number == 5
        maker.make(number, ids if incomplete else ids[: dice.randrange(1, len(ids))], incomplete=incomplete)
    maker.make(8, dice.sample(maker.ids[700:], 100) * 3)
    return maker


@pytest.mark.parametrize("window", [1 << 25, 300, 7])
@pytest.mark.parametrize("seed", range(2))
def test_every_figure_is_that_of_a_count_block_by_block(place, seed, window):
    maker = make_family(place, seed)
    usages = measure_usage(place.meta, window=window)
    for usage, (expected, space) in zip(usages, by_block(maker.maps, maker.blobs), strict=True):
        assert figures(usage) == expected
        assert usage.space_bytes == pytest.approx(space, abs=2)
    assert sum(figures(usage)[2] > 0 for usage in usages) >= 1


def test_one_version_alone_has_the_figures_that_it_has_among_all(place):
    make_family(place, 3)
    for usage in measure_usage(place.meta):
        assert measure_usage(place.meta, usage.version) == [usage]


def test_a_short_last_block_counts_with_its_own_length(place):
    place.backup(image("ab", "tail"))
    place.write(image("ab") + bytes(10))
    place.backup()
    one, other = measure_usage(place.meta)
    assert (one.real_bytes, one.null_bytes) == (2 * BLOCK + 4, 0)
    assert (other.real_bytes, other.null_bytes) == (2 * BLOCK, 10)
    assert one.individual_bytes == one.freed_bytes == 4


@pytest.mark.parametrize("content", [b"", bytes(3 * BLOCK), b"x"], ids=len)
def test_images_without_data_have_figures_too(place, content):
    place.backup(content)
    (usage,) = measure_usage(place.meta)
    assert usage.real_bytes + usage.null_bytes == len(content)


def test_without_versions_there_are_no_figures(place):
    assert measure_usage(place.meta) == []


def test_what_removal_frees_is_what_cleanups_then_delete(place):
    for letters in ("aabcd..", "abxyyy", "zzzz", "ab"):
        place.backup(image(letters))
    for usage in measure_usage(place.meta)[:3]:
        remove(place.engine, usage.version)
        assert usage.version.uid not in {left.version.uid for left in measure_usage(place.meta)}
    second = place.cleanup(), place.cleanup()
    freed = sum(result.freed_bytes for result in second)
    assert freed == BLOCK * len(set("cdxyz"))


def test_each_removal_frees_what_was_foretold(place):
    for letters in ("aabcd..", "abxyyy", "zzzz", "ab"):
        place.backup(image(letters))
    for _ in range(4):
        usage = measure_usage(place.meta)[0]
        remove(place.engine, usage.version)
        assert place.cleanup().freed_bytes + place.cleanup().freed_bytes == usage.freed_bytes


def test_a_removed_version_is_no_user_any_more_even_before_a_cleanup(place):
    first = place.backup(image("abc")).version
    place.backup(image("abc"))
    remove(place.engine, first)
    (usage,) = measure_usage(place.meta)
    assert (usage.others_bytes, usage.freed_bytes) == (0, 3 * BLOCK)


def test_a_version_that_is_being_imported_is_a_user_but_has_no_row(place):
    version = place.backup(image("ab")).version
    job = place.meta.begin_job(NewJob(JobKind.IMPORT, "host", 1, "a test", 3600.0)).id
    new = NewVersion(VersionUid("x" * 36), "vm", "", Geometry(2 * BLOCK, BLOCK), "blake3", "made", arriving=True)
    arriving = place.meta.create_version(job, new)
    place.meta.append_segments(job, arriving.id, [KeptSegment(segment) for segment in place.meta.read_map(version.id)])
    (usage,) = measure_usage(place.meta)
    assert (usage.version, usage.others_bytes, usage.freed_bytes) == (version, 2 * BLOCK, 0)


class Watched:
    """A database that notes which blob records are read, and does something before the segments are first read."""

    def __init__(self, meta, strike=lambda: None):
        self._meta, self._strike = meta, strike
        self.blobs, self.scans = Counter(), 0

    def __getattr__(self, name):
        return getattr(self._meta, name)

    def read_blobs(self, ids):
        self.blobs.update(ids)
        return self._meta.read_blobs(ids)

    def scan_segments(self, *, with_data):
        if not self.scans:
            self._strike()
        self.scans += 1
        return self._meta.scan_segments(with_data=with_data)


def test_each_blob_record_is_read_once_however_many_versions_use_it(place):
    for seed in range(5):
        place.backup(numbered(300, seed % 2))
    meta = Watched(place.meta)
    assert len(measure_usage(meta)) == 5
    assert (len(meta.blobs), set(meta.blobs.values()), meta.scans) == (600, {1}, 2)


def test_one_version_reads_the_records_of_its_own_blobs_only(place):
    place.backup(numbered(300))
    version = place.backup(image("ab")).version
    meta = Watched(place.meta)
    measure_usage(meta, version)
    assert sum(meta.blobs.values()) == 2


def test_a_version_that_is_removed_meanwhile_is_left_out(place, caplog):
    first = place.backup(image("ab")).version
    second = place.backup(image("bc")).version

    def strike():
        remove(place.engine, first)
        place.cleanup()

    (usage,) = measure_usage(Watched(place.meta, strike))
    assert usage.version == second
    assert first.uid in caplog.text


def test_ids_that_nobody_knows_are_told_and_keep_nothing_from_the_end(place, caplog):
    place.backup(image("abc"))
    edit_segment(place, unknown_id)
    edit_segment(place, lambda entries: entries.append((2**62).to_bytes(8, "little") + bytes(16)))
    (usage,) = measure_usage(place.meta, window=2)
    assert usage.freed_bytes == 2 * BLOCK
    assert "0 segments and the records of 2 blobs" in caplog.text


def test_a_missing_segment_is_told(place, caplog):
    place.backup(numbered(200))
    place.sql(f"DELETE FROM {place.table('segments')} WHERE id = 1")
    (usage,) = measure_usage(place.meta)
    assert usage.real_bytes == 72 * BLOCK
    assert "1 segments" in caplog.text
