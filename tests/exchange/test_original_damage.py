"""Random damage to a dump of the original: it is refused, or what comes in could have been meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.errors import ExchangeError
from backy2_core.exchange.dumps import open_dump
from backy2_core.exchange.inspection import BLOB_UID, Defaults
from backy2_core.exchange.translation import arriving_blocks, arriving_version, inspect_version
from tests.exchange import dumps
from tests.exchange.dumps import GUIDE_UID, block_row, csv_dump, sparse_row, version_row
from tests.property import conftest as profile

DEFAULTS = Defaults(4096, "blake3")
SEALED = f"{block_row(3, size=77)},1,{'ab' * 40},{'cd' * 16}"
ROWS = [f"{block_row(0)},0,,", f"{sparse_row(1)},0,,", f"{block_row(2)},0,,", SEALED]
SAMPLE = csv_dump(version_row(4, 3 * 4096 + 77) + ",2030-01-02", *ROWS, number="2.12")
assert profile  # repeatable examples


def read(data):
    """What arrives from a dump: the version, the blocks."""
    dump = open_dump(dumps.stream(data), "x")
    found = inspect_version(dump.version, dump.blocks(), DEFAULTS, "x")
    again = open_dump(dumps.stream(data), "x")
    return arriving_version(found), list(arriving_blocks(found, again.blocks(), DEFAULTS, "x"))


GOOD, GOOD_BLOCKS = read(SAMPLE)


def assert_refused_or_harmless(data):
    """No dump may break anything: an error that names the line, or a version with its own uid and sound blocks."""
    try:
        version, blocks = read(data)
    except ExchangeError as error:
        assert str(error).startswith("x, ")
        return
    assert version.uid == GUIDE_UID
    assert version.geometry == GOOD.geometry
    if not version.damaged:
        assert [block.number for block in blocks] == [0, 1, 2, 3]
    for block in blocks:
        assert (block.blob is None) == (GOOD_BLOCKS[block.number].blob is None)
        if block.blob is not None:
            assert BLOB_UID.fullmatch(block.blob.uid)
            assert len(block.blob.checksum) == 64
            assert block.blob.size == version.geometry.length(block.number)


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.sampled_from(["change", "delete", "insert"]))
def test_a_byte_that_is_changed_deleted_or_inserted_is_refused_or_harmless(at, byte, how):
    assert_refused_or_harmless(
        {
            "change": SAMPLE[:at] + bytes([byte]) + SAMPLE[at + 1 :],
            "delete": SAMPLE[:at] + SAMPLE[at + 1 :],
            "insert": SAMPLE[:at] + bytes([byte]) + SAMPLE[at:],
        }[how]
    )


@given(st.integers(0, len(SAMPLE) - 1))
def test_every_cut_is_refused_but_for_the_end_of_the_last_line(length):
    if length >= len(SAMPLE) - 2:
        assert read(SAMPLE[:length]) == (GOOD, GOOD_BLOCKS)
        return
    try:
        read(SAMPLE[:length])
    except ExchangeError:
        return
    raise AssertionError(f"a dump of {length} bytes of {len(SAMPLE)} was taken")


@given(st.permutations(SAMPLE.splitlines(keepends=True)))
def test_lines_in_another_order_are_refused(lines):
    if b"".join(lines) != SAMPLE:
        try:
            read(b"".join(lines))
        except ExchangeError:
            return
        raise AssertionError(lines)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused(data):
    for text in (data, SAMPLE[:34] + data, SAMPLE[:150] + data, b'{"backy2":"version dump","format":1}\n' + data):
        assert_refused_or_harmless(text)
