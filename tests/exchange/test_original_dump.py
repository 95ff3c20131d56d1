"""What the dumps of the original say, and what is told from it where they are silent."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from backy2_core.errors import ExchangeError, UsageError
from backy2_core.exchange import own_format
from backy2_core.exchange.dumps import import_dump
from backy2_core.model.blob import BlobState
from backy2_core.model.block import Geometry
from backy2_core.model.version import VersionState
from tests.exchange import dumps
from tests.exchange.dumps import GUIDE_UID, block_row, csv_dump, sparse_row, version_row

MIB = 1024 * 1024
PREPARED = "2017-05-02 10:26:48"


def take(place, *rows, number="2.2", hash_name=None, **options):
    """Import a dump of these rows."""
    engine = place.engine_with(**options)
    return import_dump(engine, dumps.stream(csv_dump(*rows, number=number)), "x.csv", hash_name)


def own_dump():
    """The beginning of a dump of ours."""
    version = {
        "uid": GUIDE_UID,
        "name": "vm",
        "snapshot_name": "",
        "date": "2024-01-31T00:00:00+00:00",
        "size_bytes": 0,
    }
    version |= {
        "block_size": 512,
        "hash": "sha512",
        "source": "",
        "source_identity": "",
        "base": None,
        "hints_digest": "",
    }
    version |= {"digest": "", "state": "valid", "protected": False, "expire": None, "tags": []}
    return own_format.header() + own_format.encode({"version": version, "store": "", "statistics": []})


def hashes(place):
    """The hash functions of all blobs."""
    return {name for (name,) in place.sql(f"SELECT hash FROM {place.table('blobs')}")}


@pytest.mark.parametrize(
    ("number", "row", "protected", "snapshot_name", "expire"),
    [
        ("2.1", f"{GUIDE_UID},2017-05-02 10:26:48,vm,1,4096,1", False, "", None),
        ("2.2", f"{GUIDE_UID},2017-05-02 10:26:48,vm,snap,1,4096,1,1", True, "snap", None),
        ("2.10", f"{GUIDE_UID},2017-05-02 10:26:48,vm,snap,1,4096,1,0,", False, "snap", None),
        (
            "2.10",
            f"{GUIDE_UID},2017-05-02 10:26:48,vm,,1,4096,1,1,2030-12-31",
            True,
            "",
            datetime(2030, 12, 31, tzinfo=UTC),
        ),
    ],
)
def test_each_format_says_what_its_release_knew(place, number, row, protected, snapshot_name, expire):
    version = take(place, row, block_row(0), number=number)
    assert (version.uid, version.name, version.date) == (GUIDE_UID, "vm", datetime(2017, 5, 2, 10, 26, 48, tzinfo=UTC))
    assert (version.protected, version.snapshot_name, version.expire) == (protected, snapshot_name, expire)
    assert version.state is VersionState.VALID


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a\r\nb", "a\nb", "\n", "ä\u2028ö", " ", "", "x'y", '""', 'a,\n,"\n'])
def test_any_name_comes_in_as_it_was_and_goes_out_so(place, name):
    quoted = '"' + name.replace('"', '""') + '"'
    row = version_row(1).replace("test,,", f"{quoted},{quoted},")
    version = take(place, row, block_row(0))
    assert (version.name, version.snapshot_name) == (name, name)


def test_blobs_are_unseen_and_keep_the_dates_of_their_rows(place):
    take(place, version_row(2), block_row(0), sparse_row(1))
    [(uid, state, size, stored, date)] = place.sql(
        f"SELECT uid, state, size, stored_size, date FROM {place.table('blobs')}"
    )
    assert (uid, state, size, stored) == (dumps.blob_uid(0), BlobState.UNSEEN, 4096, 4096)
    assert datetime.fromtimestamp(date / 1e6, UTC) == datetime(2017, 5, 2, 12, 26, 51, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "configured", "block_size"),
    [(4096, 4 * MIB, 4 * MIB), (4096, 4096, 4096), (4097, 4096, 8192), (1, 512, 512), (5 * MIB, 4 * MIB, 8 * MIB)],
)
def test_the_block_size_of_a_single_block_is_the_configured_one_if_that_can_be(place, length, configured, block_size):
    version = take(place, version_row(1, length), block_row(0, size=length), block_size=configured)
    assert version.geometry == Geometry(length, block_size)


def test_the_block_size_is_that_of_all_blocks_but_the_last(place):
    version = take(place, version_row(2, 6001), block_row(0, size=6000), block_row(1, size=1), block_size=4096)
    assert version.geometry == Geometry(6001, 6000)


def test_an_image_without_bytes_has_no_blocks(place):
    version = take(place, version_row(0), block_size=8192)
    assert (version.geometry, version.state) == (Geometry(0, 8192), VersionState.VALID)


@pytest.mark.parametrize("size", [100, 65 * MIB])
def test_a_block_size_that_no_version_can_have_is_refused(place, size):
    with pytest.raises(ExchangeError, match="block size"):
        take(place, version_row(2, 2 * size), block_row(0, size=size), block_row(1, size=size))


@pytest.mark.parametrize(
    ("made_by", "configured", "found"),
    [
        ("sha512", "blake3", "sha512"),
        ("blake2b", "blake2b", "sha512"),
        ("sha256", "blake3", "sha256"),
        ("sha256", "sha512", "sha256"),
        ("blake2s", "blake2s", "blake2s"),
        ("sha3_256", "sha3_256", "sha3_256"),
        ("sha1", "blake3", "sha1"),
        ("md5", "blake3", "md5"),
        ("sha384", "blake3", "sha384"),
    ],
)
def test_the_hash_function_is_told_from_the_length_of_the_checksums(place, made_by, configured, found):
    version = take(place, version_row(1), block_row(0, hash_name=made_by), hash_function=configured)
    assert (version.hash, hashes(place)) == (found, {found})


def test_the_caller_can_name_the_hash_function(place):
    version = take(place, version_row(1), block_row(0, hash_name="blake2b"), hash_name="blake2b")
    assert (version.hash, hashes(place)) == ("blake2b", {"blake2b"})


@pytest.mark.parametrize(("name", "what"), [("sha256", "sha256 makes 64"), ("nonsense", "not known here")])
def test_a_hash_function_that_cannot_have_made_the_checksums_is_refused(place, name, what):
    with pytest.raises(ExchangeError, match=what):
        take(place, version_row(1), block_row(0), hash_name=name)
    assert place.versions() == []


def test_checksums_of_a_length_that_no_function_makes_are_refused(place):
    row = block_row(0).replace(dumps.checksum(0), "ab" * 17)
    with pytest.raises(ExchangeError, match="line 3: no hash function is known for checksums of 34"):
        take(place, version_row(1), row)


def test_our_own_dump_says_its_hash_function_itself(place):
    with pytest.raises(UsageError, match="leave --hash out"):
        import_dump(place.engine, dumps.stream(own_dump()), "x", "sha512")


def test_a_block_that_the_original_found_damaged_makes_the_version_damaged_until_a_scrub(place):
    version = take(place, version_row(2), block_row(0), block_row(1, valid=0))
    assert version.state is VersionState.DAMAGED
    states = dict(place.sql(f"SELECT uid, state FROM {place.table('blobs')}"))
    assert states == {dumps.blob_uid(0): BlobState.UNSEEN, dumps.blob_uid(1): BlobState.DAMAGED}


def test_an_invalid_version_with_a_damaged_block_keeps_its_sparse_blocks(place):
    prepared = sparse_row(1).replace("2017-05-02 12:26:51", PREPARED)
    take(place, version_row(2, valid=0), block_row(0, valid=0), prepared)
    assert place.scrub(GUIDE_UID).damaged_blocks == 1


def test_rows_that_an_unfinished_backup_had_only_prepared_are_lost_and_never_zeros(place, caplog):
    prepared = [row.replace("2017-05-02 12:26:51", PREPARED) for row in (sparse_row(1), sparse_row(2))]
    data = b"x" * 4096
    row = block_row(0).replace(dumps.checksum(0), hashlib.sha512(data).hexdigest())
    version = take(place, version_row(3, valid=0), row, *prepared)
    assert version.state is VersionState.DAMAGED
    assert "2 of its blocks were only prepared" in caplog.text
    place_blob(place, 0, data)
    assert [damage.block for damage in place.scrub(GUIDE_UID).damage] == [1, 2]
    assert place.state(GUIDE_UID) is VersionState.DAMAGED


def test_a_version_whose_every_block_was_read_becomes_valid_by_a_scrub(place):
    data = b"x" * 4096
    row = block_row(0).replace(dumps.checksum(0), hashlib.sha512(data).hexdigest())
    version = take(place, version_row(2, valid=0), row, sparse_row(1))
    assert version.state is VersionState.DAMAGED
    place_blob(place, 0, data)
    assert place.scrub(GUIDE_UID).damaged_blocks == 0
    assert place.state(GUIDE_UID) is VersionState.VALID


def place_blob(place, number, data=bytes(4096)):
    """Put an object into the store."""
    path = place.blob_file(dumps.blob_uid(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("present", [(), (0,), (1,), (4,), (0, 2, 4)])
def test_blocks_that_an_incomplete_version_lacks_are_lost_wherever_they_are(place, present, caplog):
    sizes = {4: 77}
    rows = [block_row(number, size=sizes.get(number, 4096)) for number in present]
    version = take(place, version_row(5, 4 * 4096 + 77, valid=0), *rows)
    assert version.geometry == Geometry(4 * 4096 + 77, 4096)
    assert version.state is VersionState.DAMAGED
    assert f"{5 - len(present)} of its 5 blocks are lost" in caplog.text
    assert place.scrub(GUIDE_UID).damaged_blocks == 5


def test_the_last_row_may_stand_without_the_end_of_its_line(place):
    data = csv_dump(version_row(1), block_row(0)).rstrip()
    assert import_dump(place.engine, dumps.stream(data), "x").state is VersionState.VALID


def test_quotes_where_none_are_needed_change_nothing(place):
    row = ",".join(f'"{cell}"' for cell in block_row(0).split(","))
    assert take(place, version_row(1), row).state is VersionState.VALID
