"""Dumps of the original that are cut, damaged, contradictory or malicious: refused by line, and nothing is changed."""

from __future__ import annotations

import pytest

from backy2_core.errors import ExchangeError, VersionExistsError
from backy2_core.exchange.dumps import import_dump
from backy2_core.exchange.inspection import MOST_BYTES, MOST_MISSING
from backy2_core.model.version import VersionState
from tests.exchange import dumps
from tests.exchange.dumps import GUIDE_UID, block_row, csv_dump, sparse_row, version_row

GOOD = ("lf-line-ends.csv", "bom.csv", "trailing-blank-line.csv", "stdout-with-log-lines.csv")
BAD = {
    "bad-checksum.csv": ("line 6", "127 hexadecimal digits"),
    "duplicate-id.csv": ("line 7", "expected block 4, found block 3"),
    "empty.csv": ("the file", "no header"),
    "header-only.csv": ("line 1", "nothing behind the header"),
    "one-column-too-many.csv": ("line 2", "9 cells, expected 8"),
    "path-in-uid.csv": ("line 3", "'../../../../etc/passwd'"),
    "row-of-another-version.csv": ("line 6", "a row of version '00000000-0000-11e7-0000-000000000000'"),
    "size-does-not-match-rows.csv": ("line 3", "the version has 29"),
    "truncated-at-row-boundary.csv": ("line 10", "after 8 blocks of 24"),
    "truncated-mid-row.csv": ("line 11", "5 cells, expected 7"),
    "unknown-version.csv": ("line 1", "'backy2 Version 9.9 metadata dump' is not understood"),
}
THREE = [block_row(number) for number in range(3)]
OTHER = "11111111-2f21-11e7-b961-a44e314f9270"


def take(place, data, **more):
    """Import these bytes."""
    return import_dump(place.engine, dumps.stream(data), "x.csv", **more)


def rows(place):
    """Every row of the database; jobs aside."""
    tables = [name for (name,) in place.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = [name for name in tables if not name.endswith(("_jobs", "_uses"))]
    return {name: [row for row in place.sql(f"SELECT * FROM {name}") if row[0] != "jobs"] for name in kept}


def refused(place, data, **more):
    """The message that a dump is refused with; the database and the store stay as they were."""
    before, documents = rows(place), sorted(place.data.list_documents(""))
    with pytest.raises(ExchangeError) as caught:
        take(place, data, **more)
    assert caught.value.exit_code == 23
    assert str(caught.value).startswith("x.csv, ")
    assert rows(place) == before
    assert sorted(place.data.list_documents("")) == documents
    assert not place.live_jobs()
    return str(caught.value)


def test_every_damaged_copy_is_refused_by_line_or_taken_as_it_should(place):
    assert sorted([*GOOD, *BAD]) == dumps.names(dumps.BAD)
    for name, (line, what) in BAD.items():
        message = refused(place, dumps.dump(dumps.BAD, name))
        assert line in message, name
        assert what in message, name
    assert take(place, dumps.dump("2917-bs65536", "b1.csv")).state is VersionState.VALID


@pytest.mark.parametrize("name", GOOD)
def test_good_data_in_an_unusual_dress_are_taken(place, name):
    version = take(place, dumps.dump(dumps.BAD, name))
    assert (version.state, version.geometry.count) == (VersionState.VALID, 24)


def test_a_uid_that_is_there_is_refused_before_anything_is_written(place):
    take(place, dumps.guide())
    before = rows(place)
    with pytest.raises(VersionExistsError) as caught:
        take(place, dumps.guide())
    assert caught.value.exit_code == 22
    assert rows(place) == before


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (version_row(3, uid="../../etc"), "expected a UUID"),
        (version_row(3, uid=GUIDE_UID.upper()), "expected a UUID"),
        (version_row(3).replace("2017-05-02 10:26:48", "2017-02-30 10:26:48"), "the cell date"),
        (version_row(3).replace("2017-05-02 10:26:48", "2017-05-02T10:26:48"), "the cell date"),
        (version_row(3).replace(",3,", ",three,"), "the cell size "),
        (version_row(3).replace(",3,", ",03,"), "the cell size "),
        (version_row(3).replace(",12288,", ",-1,"), "the cell size_bytes"),
        (version_row(3, MOST_BYTES + 1), f"expected 0 to {MOST_BYTES}"),
        (version_row(3, 10**18), "the version has 3"),
        (version_row(3, 0), "0 bytes in 3 blocks"),
        (version_row(3, valid=2), "expected 0 or 1"),
        (version_row(3)[:-1] + "yes", "expected 0 or 1"),
        (version_row(3, 12289), "the version has 3"),
        (version_row(3, 8192), "the version has 3"),
        (version_row(2, 8192), "there is a block 2"),
        (version_row(4, 16384), "after 3 blocks of 4"),
        (version_row(2**33, 2**33 * 4096), "a version of 8589934592 blocks"),
        (version_row(3).replace("test", "t" * 1025), "a cell has 1025 characters"),
        (version_row(3).replace("test", 'te"st'), "cannot be read"),
        (version_row(3).replace("test", '"test'), "cannot be read"),
        (version_row(3).replace("test", "te\0st"), "zero byte"),
    ],
)
def test_a_row_of_a_version_that_cannot_be_is_refused(place, row, what):
    assert what in refused(place, csv_dump(row, *THREE))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda row: row.replace(",4096,", ",4095,"), "the size of block 1 is 4095, expected 4096"),
        (lambda row: row.replace(",4096,", ",,"), "the cell size "),
        (lambda row: row.replace(f"{GUIDE_UID},1,", f"{GUIDE_UID},0,"), "expected block 1, found block 0"),
        (lambda row: row.replace(f"{GUIDE_UID},1,", f"{GUIDE_UID},2,"), "expected block 1, found block 2"),
        (lambda row: row.replace(f"{GUIDE_UID},1,", f"{GUIDE_UID},99,"), "there is a block 99"),
        (lambda row: row.replace(f"{GUIDE_UID},1,", f"{GUIDE_UID},-1,"), "the cell id"),
        (lambda row: row.replace(f"{GUIDE_UID},1,", f"{GUIDE_UID},\u0661,"), "the cell id"),
        (lambda row: row.replace(GUIDE_UID, OTHER), f"a row of version '{OTHER}'"),
        (lambda row: row.replace("2017-05-02 12:26:51", "yesterday"), "the cell date"),
        (lambda row: row.replace(row[:32], row[:31]), "the block's uid"),
        (lambda row: row.replace(row[:32], row[:32].upper()), "the block's uid"),
        (lambda row: row.replace(row[:32], "../" * 10 + "ab"), "the block's uid"),
        (lambda row: row.replace(row[:32], "0" * 10 + "0" * 21 + "I"), "the block's uid"),
        (lambda row: row.replace(row[:32], ""), "a block without a uid"),
        (lambda row: row.replace(dumps.checksum(1), ""), "the block's checksum is ''"),
        (lambda row: row.replace(dumps.checksum(1), dumps.checksum(1).upper()), "lower-case hexadecimal"),
        (lambda row: row.replace(dumps.checksum(1), dumps.checksum(1)[:-2]), "126 hexadecimal digits, expected 128"),
        (
            lambda row: row.replace(dumps.checksum(1), dumps.checksum(1, "sha256")),
            "64 hexadecimal digits, expected 128",
        ),
        (lambda row: row[:-1] + "2", "the cell valid"),
        (lambda row: row + ",1", "8 cells, expected 7"),
        (lambda row: "", "expected the end"),
        (lambda row: "    INFO: Backy complete.", "expected the end"),
        (lambda row: row.replace(",4096", "\r,4096"), "carriage return"),
        (lambda row: row + "," + "x" * 70000, "longer than 65536 bytes"),
        (lambda row: row.replace("2017", "\udcff2017"), "no UTF-8"),
    ],
)
def test_a_row_of_a_block_that_cannot_be_is_refused(place, change, what):
    text = csv_dump(version_row(3), THREE[0], "ROW", THREE[2]).decode()
    changed = text.replace("ROW", change(THREE[1])).encode("utf-8", "surrogateescape")
    message = refused(place, changed)
    assert what in message
    assert "line 4" in message or "line 5" in message


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ("2,,", "encryption version 2"),
        ("1,,", "the key of an encrypted block"),
        (f"1,{'a' * 79},", "the key of an encrypted block"),
        (f"1,{'A' * 80},", "the key of an encrypted block"),
        (f"1,{'a' * 80},{'b' * 31}", "the nonce"),
        (f"0,{'a' * 80},", "not encrypted has a key"),
        ("0,,b", "not encrypted has a key"),
        ("x,,", "the cell enc_version"),
        ("0,", "9 cells, expected 10"),
    ],
)
def test_cells_of_encryption_that_cannot_be_are_refused(place, cells, what):
    dump = csv_dump(version_row(1) + ",", f"{block_row(0)},{cells}", number="2.12")
    assert what in refused(place, dump)


@pytest.mark.parametrize("nonce", ["", r"\x", "ab" * 16])
def test_the_empty_bytes_of_postgresql_are_nothing(place, nonce):
    sealed = f"{block_row(0)},1,{'a' * 80},{nonce}"
    plain = [f"{block_row(1)},0,\\x,\\x", f"{sparse_row(2)},0,,\\x"]
    version = take(place, csv_dump(version_row(3) + ",2030-01-02", sealed, *plain, number="2.12"))
    assert f"{version.expire:%Y-%m-%d}" == "2030-01-02"
    [(chain,)] = place.sql(f"SELECT spec FROM {place.table('chains')}")
    assert chain == '[["backy2_v1",{}]]'


def test_a_blob_with_two_contents_is_refused_and_leaves_nothing(place):
    twice = THREE[0].replace(f"{GUIDE_UID},0,", f"{GUIDE_UID},2,").replace(dumps.checksum(0), dumps.checksum(2))
    with pytest.raises(ExchangeError, match=r"^x\.csv: Line 5: .* known with other contents"):
        take(place, csv_dump(version_row(3), *THREE[:2], twice))
    assert [version for version in place.versions() if not version.state.is_gone] == []
    assert take(place, csv_dump(version_row(3), *THREE)).state is VersionState.VALID


@pytest.mark.parametrize(
    "text", ["\n" * 1001, "garbage\n", "    INFO: x\n" * 1001, "x" * 2**21, "{}\n", "[1]\n", "{\n"]
)
def test_what_is_no_dump_is_refused_soon(place, text):
    refused(place, text.encode() + dumps.guide())


def test_an_unknown_header_names_those_that_are_known(place):
    message = refused(place, dumps.guide().replace(b"2.2 metadata", b"2.3 metadata"))
    for number in ("2.1", "2.2", "2.10", "2.12"):
        assert f"backy2 Version {number} metadata dump" in message


def test_an_incomplete_version_cannot_claim_more_blocks_than_anybody_ever_had(place):
    blocks = MOST_MISSING + 2
    message = refused(place, csv_dump(version_row(blocks, valid=0), THREE[0]))
    assert f"{blocks - 1} blocks are missing" in message
