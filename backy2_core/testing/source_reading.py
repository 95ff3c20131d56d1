"""What may be expected of a source: the right bytes for every range, from many threads, and honest holes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from backy2_core.contracts.source import Source
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent

THREADS = 8


@dataclass(frozen=True, slots=True)
class SourceSubject:
    """A source under test. ``open`` opens the same device each time; ``content`` is what it holds.

    The content should be some MiB with data, zeros and holes (where the source knows such), and a size that is no multiple
    of 4096 if it can have one. Give None where the content is not known beforehand: readings are then compared with each
    other.
    """

    open: Callable[[], Source]
    content: bytes | None = None


class SourceSuite:
    """Subclass it, and give the fixture ``subject``."""

    @pytest.fixture
    def subject(self) -> SourceSubject:
        """The source under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture subject")

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
            return _read(opened, 0, opened.size_bytes)

    def test_the_size_is_that_of_the_content(self, source: Source, content: bytes) -> None:
        assert source.size_bytes == len(content)

    def test_the_whole_is_read(self, source: Source, content: bytes) -> None:
        assert _read(source, 0, len(content)) == content

    @pytest.mark.parametrize("piece", [512, 4096, 65536, 100_003, 1024 * 1024])
    def test_pieces_of_every_size_are_read(self, source: Source, content: bytes, piece: int) -> None:
        stop = min(len(content), 300 * piece)
        for offset in range(0, stop, piece):
            length = min(piece, len(content) - offset)
            assert _read(source, offset, length) == content[offset : offset + length]

    def test_ranges_that_fit_no_page_are_read(self, source: Source, content: bytes) -> None:
        draw = random.Random(7)
        for _ in range(100):
            offset = draw.randrange(len(content))
            length = draw.randrange(1, min(70_000, len(content) - offset) + 1)
            assert _read(source, offset, length) == content[offset : offset + length]

    def test_the_last_byte_is_read(self, source: Source, content: bytes) -> None:
        assert _read(source, len(content) - 1, 1) == content[-1:]

    def test_only_the_buffer_is_written_to(self, source: Source, content: bytes) -> None:
        buffer = bytearray(b"#" * 3000)
        source.read_into(100, memoryview(buffer)[1000:2000])
        assert buffer == b"#" * 1000 + content[100:1100] + b"#" * 1000

    def test_the_buffer_is_not_kept(self, source: Source, content: bytes) -> None:
        buffer = bytearray(1000)
        source.read_into(0, memoryview(buffer))
        buffer[:] = bytes(1000)
        _read(source, 4096, 1000)
        assert buffer == bytes(1000)
        buffer.extend(b"resizing fails while somebody holds a view")
        assert _read(source, 0, 1000) == content[:1000]

    def test_reading_beyond_the_end_is_an_error_and_no_zeros(self, source: Source, content: bytes) -> None:
        with pytest.raises(SourceError):
            _read(source, len(content) - 1, 2)
        with pytest.raises(SourceError):
            _read(source, len(content), 4096)

    def test_many_threads_read_at_once(self, source: Source, content: bytes) -> None:
        def compare(seed: int) -> int:
            draw, right = random.Random(seed), 0
            for _ in range(40):
                offset = draw.randrange(len(content))
                length = min(50_000, len(content) - offset)
                right += _read(source, offset, length) == content[offset : offset + length]
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
            assert not any(content[end : extent.offset])
            end = extent.end

    def test_allocated_can_be_asked_again_and_while_others_read(self, source: Source, content: bytes) -> None:
        first = list(source.allocated())
        second = []
        for extent in source.allocated():
            _read(source, extent.offset, min(extent.length, 1000))
            second.append(extent)
        assert first == second

    def test_the_identity_stays_as_long_as_the_content(self, source: Source, subject: SourceSubject) -> None:
        before = source.identity
        _read(source, 0, 512)
        with subject.open() as second:
            assert second.identity == before == source.identity

    def test_at_least_one_thread_is_asked_for(self, source: Source) -> None:
        assert source.threads >= 1

    def test_closing_twice_does_nothing(self, subject: SourceSubject) -> None:
        source = subject.open()
        source.close()
        source.close()


def _read(source: Source, offset: int, length: int) -> bytes:
    # Not zeros: a source that leaves a part of the buffer as it was must be found out.
    buffer = bytearray(b"\xa5" * length)
    source.read_into(offset, memoryview(buffer))
    return bytes(buffer)
