"""What may be expected of a source: the right bytes for every range, from many threads, and honest holes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.contracts.source import Source
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_core.testing.source_trouble import SourceSubject, SourceTrouble, expect_url, read

THREADS = 8


class SourceSuite(SourceTrouble):
    """Subclass it, and give the fixture ``subject``.

    ``patience_s``: seconds in which every call must end, whatever the device does.
    """

    @pytest.fixture
    def source(self, subject: SourceSubject) -> Iterator[Source]:
        """The source, open."""
        with subject.open() as opened:
            yield opened

    @pytest.fixture
    def content(self, subject: SourceSubject) -> bytes:
        """What the source holds."""
        if subject.content is not None:
            return subject.content
        with subject.open() as opened:
            return read(opened, 0, opened.size_bytes)

    def test_the_size_is_that_of_the_content(self, source: Source, content: bytes) -> None:
        assert source.size_bytes == len(content)

    def test_the_whole_is_read(self, source: Source, content: bytes) -> None:
        assert read(source, 0, len(content)) == content

    @pytest.mark.parametrize("piece", [512, 4096, 65536, 100_003, 1024 * 1024])
    def test_pieces_of_every_size_areread(self, source: Source, content: bytes, piece: int) -> None:
        stop = min(len(content), 300 * piece)
        for offset in range(0, stop, piece):
            length = min(piece, len(content) - offset)
            assert read(source, offset, length) == content[offset : offset + length]

    def test_ranges_that_fit_no_page_areread(self, source: Source, content: bytes) -> None:
        draw = random.Random(7)
        for _ in range(100):
            offset = draw.randrange(len(content))
            length = draw.randrange(1, min(70_000, len(content) - offset) + 1)
            assert read(source, offset, length) == content[offset : offset + length]

    def test_the_last_byte_is_read(self, source: Source, content: bytes) -> None:
        assert read(source, len(content) - 1, 1) == content[-1:]

    def test_only_the_buffer_is_written_to(self, source: Source, content: bytes) -> None:
        buffer = bytearray(b"#" * 3000)
        source.read_into(100, memoryview(buffer)[1000:2000])
        assert buffer == b"#" * 1000 + content[100:1100] + b"#" * 1000

    def test_the_buffer_is_not_kept(self, source: Source, content: bytes) -> None:
        buffer = bytearray(1000)
        source.read_into(0, memoryview(buffer))
        buffer[:] = bytes(1000)
        read(source, 4096, 1000)
        assert buffer == bytes(1000), "a later reading wrote into an earlier buffer"
        try:
            buffer.extend(b"resizing fails while somebody holds a view")
        except BufferError as error:
            raise AssertionError("a view of the caller's buffer was kept behind read_into") from error
        assert read(source, 0, 1000) == content[:1000]

    def test_no_view_of_the_buffer_is_kept(self, source: Source) -> None:
        buffer = bytearray(1000)
        source.read_into(0, memoryview(buffer))
        try:
            buffer.extend(b"resizing fails while somebody holds a view")
        except BufferError as error:
            raise AssertionError("a view of the caller's buffer was kept behind read_into") from error

    def test_reading_beyond_the_end_is_an_error_and_no_zeros(
        self, source: Source, content: bytes, subject: SourceSubject
    ) -> None:
        for offset, length in ((len(content) - 1, 2), (len(content), 4096)):
            with pytest.raises(SourceError) as raised:
                read(source, offset, length)
            expect_url(raised.value, subject)

    def test_many_threads_read_at_once(self, source: Source, content: bytes) -> None:
        def compare(seed: int) -> int:
            draw, right = random.Random(seed), 0
            for _ in range(40):
                offset = draw.randrange(len(content))
                length = min(50_000, len(content) - offset)
                right += read(source, offset, length) == content[offset : offset + length]
            return right

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(compare, range(THREADS))) == [40] * THREADS

    def test_allocated_ranges_ascend_within_the_device(self, source: Source, content: bytes) -> None:
        extents = list(source.allocated())
        assert all(extent.length > 0 and extent.exists for extent in extents)
        assert all(one.end <= other.offset for one, other in itertools.pairwise(extents))
        assert all(extent.end <= len(content) for extent in extents)

    def test_what_is_not_allocated_reads_as_zeros(self, source: Source, content: bytes) -> None:
        end = 0
        for extent in [*source.allocated(), Extent(len(content), 0)]:
            assert not any(content[end : extent.offset]), f"not all is zero from {end} to {extent.offset}"
            end = extent.end

    def test_allocated_can_be_asked_again_and_while_othersread(self, source: Source, content: bytes) -> None:
        first = list(source.allocated())
        second = []
        for extent in source.allocated():
            read(source, extent.offset, min(extent.length, 1000))
            second.append(extent)
        assert first == second

    def test_reading_elsewhere_leaves_no_allocated_range_out(self, source: Source, content: bytes) -> None:
        first, second = list(source.allocated()), []
        for extent in source.allocated():
            for offset in (0, len(content) - 1):
                read(source, offset, 1)
            second.append(extent)
        assert first == second

    def test_allocated_ranges_come_one_by_one(self, source: Source) -> None:
        ranges = source.allocated()
        assert iter(ranges) is ranges, "expected an iterator, since there may be many ranges"

    def test_the_identity_stays_as_long_as_the_content(self, source: Source, subject: SourceSubject) -> None:
        before = source.identity
        read(source, 0, 512)
        with subject.open() as second:
            assert second.identity == before == source.identity

    def test_allocated_is_gone_through_while_many_threadsread(self, source: Source, content: bytes) -> None:
        def compare(extent: Extent) -> bool:
            length = min(extent.length, 50_000)
            return read(source, extent.offset, length) == content[extent.offset : extent.offset + length]

        with ThreadPoolExecutor(THREADS) as pool:
            readings = [pool.submit(compare, extent) for extent in source.allocated() for _ in range(THREADS)]
        assert all(reading.result() for reading in readings)

    def test_what_was_read_of_a_device_that_stays_is_confirmed(self, source: Source, content: bytes) -> None:
        source.confirm()
        assert read(source, 0, len(content)) == content
        source.confirm()

    def test_at_least_one_thread_is_asked_for(self, source: Source) -> None:
        assert source.threads >= 1
