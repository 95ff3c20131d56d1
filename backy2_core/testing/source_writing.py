"""What may be expected of a target: bytes where they were written, zeros where they were asked, nothing overwritten unasked."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.errors import BackyError, TargetError
from backy2_core.testing.leftovers import expect_nothing_left
from backy2_core.testing.outage import Outage, SilentServer, failing_within, failure_of

THREADS = 8
PIECE = 50_000


@dataclass(frozen=True, slots=True)
class TargetSubject:
    """A target under test. ``open`` opens the same device each time; ``read`` gives what a new reader finds there.

    ``size_bytes`` is the size to restore (at least 1 MiB). ``creates``: the first opening makes the device; otherwise it
    is there already, holds other bytes than zeros, and has at least that size. ``read`` is None for a sink. ``url`` is what
    ``open`` opens, for the check that messages name it.

    What not every target can do, each left out where it is None: ``space_bytes`` tells what the device takes on its
    disk; ``outage`` lets writing to it fail, and mends that; ``open_silent`` opens a device at a host and port, with short
    time-outs.
    """

    open: Callable[[TargetRequest], Target]
    read: Callable[[], bytes] | None
    size_bytes: int
    creates: bool = True
    url: str = ""
    space_bytes: Callable[[], int] | None = None
    outage: Outage | None = None
    open_silent: Callable[[str, int, TargetRequest], Target] | None = None


class TargetSuite:
    """Subclass it, and give the fixture ``subject``.

    ``patience_s``: seconds in which every call must end, whatever the device does.
    """

    patience_s: float = 60.0

    @pytest.fixture
    def subject(self) -> TargetSubject:
        """The target under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture subject")

    @pytest.fixture(params=[False, True], ids=["full", "sparse"])
    def request_new(self, subject: TargetSubject, request: pytest.FixtureRequest) -> TargetRequest:
        """What a restore to a new device asks for (to one that is there, if the target never makes one)."""
        return TargetRequest(subject.size_bytes, force=not subject.creates, sparse=request.param)

    def test_every_byte_is_where_it_was_written(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = _content(subject.size_bytes)
        with subject.open(request_new) as target:
            for offset in _shuffled_offsets(subject.size_bytes):
                target.write(offset, memoryview(content)[offset : offset + PIECE])
            target.flush()
        _expect(subject, content)

    def test_zeros_are_where_they_were_asked(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = bytearray(_content(subject.size_bytes))
        with subject.open(request_new) as target:
            for offset in _shuffled_offsets(subject.size_bytes):
                length = min(PIECE, subject.size_bytes - offset)
                if offset // PIECE % 3 == 0:
                    content[offset : offset + length] = bytes(length)
                    target.zero(offset, length)
                else:
                    target.write(offset, memoryview(content)[offset : offset + length])
            target.flush()
        _expect(subject, bytes(content))

    def test_all_zeros_are_all_zeros(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        with subject.open(request_new) as target:
            target.zero(0, subject.size_bytes)
            target.flush()
        _expect(subject, bytes(subject.size_bytes))

    def test_what_was_there_is_replaced_when_forced(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        before = _content(subject.size_bytes)
        _restore(subject, request_new, before)
        content = bytearray(reversed(before))
        content[100_001:500_003] = bytes(400_002)
        with subject.open(TargetRequest(subject.size_bytes, force=True, sparse=request_new.sparse)) as target:
            target.write(0, memoryview(content)[:100_001])
            target.zero(100_001, 400_002)
            target.write(500_003, memoryview(content)[500_003:])
            target.flush()
        _expect(subject, bytes(content))

    def test_the_shortest_ranges_are_zeroed(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = bytearray(_content(subject.size_bytes))
        _restore(subject, request_new, bytes(content))
        with subject.open(TargetRequest(subject.size_bytes, force=True, sparse=request_new.sparse)) as target:
            for offset, length in ((0, 1), (511, 2), (4096, 4096), (10_001, 0), (subject.size_bytes - 3, 3)):
                target.zero(offset, length)
                content[offset : offset + length] = bytes(length)
            target.flush()
        _expect(subject, bytes(content))

    def test_the_buffer_is_not_kept(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = _content(subject.size_bytes)
        buffer = bytearray(content)
        with subject.open(request_new) as target:
            target.write(0, memoryview(buffer))
            buffer[:] = bytes(len(buffer))
            try:
                buffer.extend(b"resizing fails while somebody holds a view")
            except BufferError as error:
                raise AssertionError("a view of the caller's buffer was kept behind write") from error
            target.flush()
        _expect(subject, content)

    def test_a_buffer_may_be_read_only_and_a_part_of_another(
        self, subject: TargetSubject, request_new: TargetRequest
    ) -> None:
        content = _content(subject.size_bytes)
        with subject.open(request_new) as target:
            target.write(0, memoryview(b"##" + content)[2:])
            target.flush()
        _expect(subject, content)

    def test_many_threads_write_at_once(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = bytearray(_content(subject.size_bytes))
        offsets = _shuffled_offsets(subject.size_bytes)
        for offset in offsets[::5]:
            content[offset : offset + PIECE] = bytes(len(content[offset : offset + PIECE]))
        with subject.open(request_new) as target, ThreadPoolExecutor(THREADS) as pool:

            def restore(offset: int) -> None:
                piece = memoryview(content)[offset : offset + PIECE]
                if any(piece):
                    target.write(offset, piece)
                else:
                    target.zero(offset, len(piece))

            for future in [pool.submit(restore, offset) for offset in offsets]:
                future.result()
            target.flush()
        _expect(subject, bytes(content))

    def test_what_exists_is_refused_without_force(self, subject: TargetSubject) -> None:
        if subject.read is None:
            pytest.skip("the subject is a sink: nothing is overwritten")
        request = TargetRequest(subject.size_bytes, force=False, sparse=True)
        if subject.creates:
            subject.open(request).close()
        before = subject.read()
        with pytest.raises(TargetError) as raised:
            subject.open(request)
        _expect_url(raised.value, subject)
        assert subject.read() == before, "the device was changed, though it was refused"

    def test_what_is_too_small_is_refused(self, subject: TargetSubject) -> None:
        if subject.read is None:
            pytest.skip("the subject is a sink: nothing is too large for it")
        if subject.creates:
            subject.open(TargetRequest(subject.size_bytes, force=False, sparse=True)).close()
        before = subject.read()
        with pytest.raises(TargetError) as raised:
            subject.open(TargetRequest(len(before) + 1, force=True, sparse=True))
        _expect_url(raised.value, subject)
        assert subject.read() == before, "the device was changed, though it was refused"

    def test_what_is_larger_than_needed_is_taken(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        content = _content(subject.size_bytes)
        _restore(subject, request_new, content)
        half, before = subject.size_bytes // 2, subject.read() if subject.read else b""
        with subject.open(TargetRequest(half, force=True, sparse=request_new.sparse)) as target:
            target.write(0, memoryview(bytes(half)))
            target.flush()
        if subject.read is not None:
            assert subject.read()[:half] == bytes(half)
            assert subject.read()[half:] == before[half:], "bytes beyond the size that was asked for were changed"

    def test_opening_again_and_again_leaves_nothing_behind(self, subject: TargetSubject) -> None:
        subject.open(TargetRequest(subject.size_bytes, force=not subject.creates, sparse=True)).close()

        def use() -> None:
            with subject.open(TargetRequest(subject.size_bytes, force=True, sparse=True)) as target:
                target.write(0, memoryview(b"content"))
                target.flush()

        expect_nothing_left(use)

    def test_flushing_and_closing_twice_does_nothing(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        target = subject.open(request_new)
        target.flush()
        target.flush()
        target.close()
        target.close()

    def test_a_closed_target_refuses_work(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        if subject.read is None:
            pytest.skip("the subject is a sink: nothing is lost in it")
        target = subject.open(request_new)
        target.close()
        with pytest.raises(TargetError):
            target.write(0, memoryview(b"late"))
        with pytest.raises(TargetError):
            target.zero(0, 4096)
        with pytest.raises(TargetError):
            target.flush()

    def test_what_is_not_written_is_left_as_it_was(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        if subject.read is None:
            pytest.skip("the subject is a sink: nothing is there to be left")
        before = bytes(subject.size_bytes) if subject.creates else subject.read()
        with subject.open(request_new) as target:
            target.write(1000, memoryview(b"x" * 1000))
            target.flush()
        _expect(subject, before[:1000] + b"x" * 1000 + before[2000 : subject.size_bytes])

    def test_zeros_take_no_space_where_sparse_was_asked(self, subject: TargetSubject) -> None:
        if subject.space_bytes is None:
            pytest.skip("the subject has no space_bytes")
        with subject.open(TargetRequest(subject.size_bytes, force=not subject.creates, sparse=True)) as target:
            target.zero(0, subject.size_bytes)
            target.flush()
        taken = subject.space_bytes()
        assert taken < subject.size_bytes // 2, f"{taken} bytes are taken by {subject.size_bytes} zeros"

    def test_a_device_that_fails_is_an_error_that_names_it(
        self, subject: TargetSubject, request_new: TargetRequest
    ) -> None:
        if subject.outage is None:
            pytest.skip("the subject has no outage")

        def write_and_flush() -> None:
            target.write(0, memoryview(b"content"))
            target.flush()

        target = subject.open(request_new)
        try:
            subject.outage.begin()
            failure = failure_of(write_and_flush, self.patience_s, TargetError)
        finally:
            subject.outage.end()
            target.close()
        assert failure is not None, "flush returned, though what was written is not durable"
        _expect_url(failure, subject)

    def test_a_server_that_never_answers_is_given_up(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        if subject.open_silent is None:
            pytest.skip("the subject has no open_silent")
        with (
            SilentServer() as server,
            failing_within(self.patience_s, TargetError, retryable=None),
            subject.open_silent(server.host, server.port, request_new) as target,
        ):
            target.write(0, memoryview(b"content"))
            target.flush()

    def test_at_least_one_thread_is_asked_for(self, subject: TargetSubject, request_new: TargetRequest) -> None:
        with subject.open(request_new) as target:
            assert target.threads >= 1


def _expect_url(error: BackyError, subject: TargetSubject) -> None:
    assert subject.url in str(error), f"expected {subject.url} in the message, not only {error}"


def _content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _shuffled_offsets(size: int) -> list[int]:
    offsets = list(range(0, size, PIECE))
    random.Random(size).shuffle(offsets)
    return offsets


def _restore(subject: TargetSubject, request: TargetRequest, content: bytes) -> None:
    with subject.open(request) as target:
        target.write(0, memoryview(content))
        target.flush()


def _expect(subject: TargetSubject, content: bytes) -> None:
    """Compare the restored part, without an endless text where it differs."""
    if subject.read is None:
        return
    found = subject.read()[: len(content)]
    assert len(found) == len(content)
    if found != content:
        wrong = next(i for i, (one, other) in enumerate(zip(found, content, strict=True)) if one != other)
        raise AssertionError(f"byte {wrong} differs")
