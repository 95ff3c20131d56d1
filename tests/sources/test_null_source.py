"""The source ``null``: sizes in URLs, and made data that is worth measuring with."""

from __future__ import annotations

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import SourceError
from backy2_plugins.sources import null
from backy2_plugins.sources.null import NullSource

MIB = 1024 * 1024
SETTINGS = {setting.name: setting.default for setting in null.backy2_settings()}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4097", 4097),
        ("10B", 10),
        ("1k", 1024),
        ("1KB", 1024),
        ("500M", 500 * MIB),
        ("2GB", 2 << 30),
        ("200T", 200 << 40),
        ("1p", 1 << 50),
    ],
)
def test_sizes_are_understood(text: str, size: int) -> None:
    assert null.backy2_open_source(f"null://{text}", SETTINGS).size_bytes == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5G", "1X", "G", "1 M", "1MM", "1M?a=b"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(SourceError, match="null://500M"):
        null.backy2_open_source(f"null://{text}", SETTINGS)


def test_no_two_pages_are_alike_and_none_is_zero() -> None:
    buffer = bytearray(8 * MIB)
    NullSource(8 * MIB).read_into(0, memoryview(buffer))
    pages = {bytes(buffer[start : start + 4096]) for start in range(0, len(buffer), 4096)}
    assert len(pages) == 2048
    assert bytes(4096) not in pages


def test_pages_far_apart_are_not_alike() -> None:
    source, pages = NullSource(1 << 50), set()
    for offset in (0, 1 << 20, 1 << 32, 1 << 40, (1 << 50) - 4096):
        buffer = bytearray(4096)
        source.read_into(offset, memoryview(buffer))
        pages.add(bytes(buffer))
    assert len(pages) == 5


def test_the_same_offset_always_holds_the_same_bytes() -> None:
    one, other = bytearray(100_003), bytearray(200_006)
    NullSource(1 << 30).read_into(5_000_001, memoryview(one))
    NullSource(1 << 40).read_into(4_900_001, memoryview(other))
    assert other[100_000:] == one + other[200_003:]


def test_the_target_takes_everything() -> None:
    with null.backy2_open_target("null://", SETTINGS, TargetRequest(1 << 60, force=False, sparse=False)) as target:
        target.write(1 << 59, memoryview(b"x"))
        target.zero(0, 1 << 60)
        target.flush()
