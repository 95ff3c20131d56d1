"""What each block counts as: read, written, dedup, sparse or kept."""

from __future__ import annotations

import itertools

import pytest

from backy2_core.model.blob import BlobState
from tests.engine.place import BLOCK, bytes_of, counts_of, hint, image, numbered


def test_a_first_backup_counts_new_blocks_repeated_blocks_and_zeros(place):
    result = place.backup(image("abab..c", "tail"))
    assert counts_of(result) == (8, 4, 2, 2, 0)
    assert bytes_of(result) == (7 * BLOCK + 4, 3 * BLOCK + 4, 2 * BLOCK, 2 * BLOCK, 0)


def test_holes_are_sparse_and_not_read(place):
    with place.image.open("wb") as file:
        file.write(image("a"))
        file.truncate(100 * BLOCK)
        file.seek(50 * BLOCK)
        file.write(image("b"))
    assert counts_of(place.backup()) == (2, 2, 0, 98, 0)


def test_an_unchanged_image_is_read_and_found_stored_already(place):
    place.backup(image("abc."))
    assert counts_of(place.backup()) == (4, 0, 3, 1, 0)


def test_a_base_without_hints_keeps_nothing_unread(place):
    base = place.uid(image("abc."))
    assert counts_of(place.backup(image("xbc."), base=base)) == (4, 1, 2, 1, 0)


def test_with_hints_unhinted_blocks_are_kept_and_vanished_ones_sparse(place):
    base = place.uid(image("abcde"))
    result = place.backup(image("ax..e"), base=base, hints=[hint(1), hint(2, 2, exists=False)])
    assert counts_of(result) == (1, 1, 0, 2, 2)
    assert bytes_of(result) == (BLOCK, BLOCK, 0, 2 * BLOCK, 2 * BLOCK)


def test_the_sample_that_is_compared_with_the_base_does_not_count_as_read(place):
    base = place.uid(numbered(40))
    assert counts_of(place.backup(base=base, hints=[])) == (0, 0, 0, 0, 40)


def test_hints_without_a_base_make_the_rest_sparse(place):
    assert counts_of(place.backup(image("a..b"), hints=[hint(0), hint(3)])) == (2, 2, 0, 2, 0)


@pytest.mark.parametrize("content", [b"", b"x", image("a"), image("aab..", "end"), numbered(300)], ids=len)
def test_each_block_counts_once_beside_read(place, content):
    result = place.backup(content)
    read, *rest = counts_of(result)
    assert sum(rest) == result.statistics.size_blocks == -(-len(content) // BLOCK)
    assert sum(bytes_of(result)[1:]) == result.statistics.size_bytes == len(content)
    assert read <= sum(rest)


def test_statistics_stay_when_the_version_is_gone(place):
    result = place.backup(image("abc"))
    place.meta.remove_version(result.version.id)
    place.cleanup(full=True)
    assert place.meta.statistics(uid=result.version.uid) == [result.statistics]


def test_the_newest_statistics_are_listed_by_date(place):
    results = [place.backup(image(letters)) for letters in ("a", "ab", "abc")]
    assert place.meta.statistics(limit=2) == [result.statistics for result in results[1:]]


def test_without_deduplication_every_block_with_data_is_written(place):
    engine = place.engine_with(deduplication=False)
    for _ in range(2):
        assert counts_of(place.backup(image("aab."), engine=engine)) == (4, 3, 0, 1, 0)
    assert len(place.objects()) == 6
    assert place.restored(place.versions()[0].uid) == image("aab.")


def test_blocks_of_other_sizes_and_hashes_are_not_shared(place):
    place.backup(image("abcd"))
    assert counts_of(place.backup(engine=place.engine_with(hash_function="sha256")))[1:3] == (4, 0)
    other = place.backup(engine=place.engine_with(block_size=2 * BLOCK))
    assert counts_of(other) == (2, 2, 0, 0, 0)
    assert place.restored(other.version.uid) == image("abcd")


class LosesBlobsOnce:
    """A database in which, just before the first segments are committed, all blobs are proven damaged."""

    def __init__(self, meta, ids):
        self._meta = meta
        self._ids = ids

    def __getattr__(self, name):
        return getattr(self._meta, name)

    def append_segments(self, job, version, segments):
        ids, self._ids = self._ids, ()
        self._meta.set_blob_state(ids, BlobState.DAMAGED, BlobState.STORED)
        return self._meta.append_segments(job, version, segments)


def lose_all_blobs_between_look_up_and_commit(place):
    place.backup(image("abc."))
    ids = [row.id for row in itertools.chain(*place.meta.scan_blobs(place.engine.store))]
    return place.backup(name="other", engine=place.engine_with(meta=LosesBlobsOnce(place.meta, ids)))


def test_blocks_whose_blobs_go_between_look_up_and_commit_are_stored_again(place):
    result = lose_all_blobs_between_look_up_and_commit(place)
    assert place.restored(result.version.uid) == image("abc.")
    assert len(place.objects()) == 6


def test_a_block_that_had_to_be_stored_again_counts_once_beside_read(place):
    result = lose_all_blobs_between_look_up_and_commit(place)
    assert sum(counts_of(result)[1:]) == 4
