"""What may be expected of a source in trouble: errors that name it, in time, and never bytes that are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from backy2_core.contracts.source import Source
from backy2_core.errors import SourceError
from backy2_core.testing.leftovers import expect_nothing_left
from backy2_core.testing.outage import SilentServer, failing_within

ODD_NAMES = (
    "two words",
    "100%",
    "a%41b",
    "plus+",
    "hash#",
    "question?",
    "at@",
    "col:on",
    "quo'te\"",
    "b\\s",
    "Würfel-日本",
)
HALF_A_MIB = 512 * 1024


@dataclass(frozen=True, slots=True)
class SourceSubject:
    """A source under test. ``open`` opens the same device each time; ``content`` is what it holds.

    The content should be some MiB with data, zeros and holes (where the source knows such), and a size that is no multiple
    of 4096 if it can have one. Give None where the content is not known beforehand: readings are then compared with each
    other. ``url`` is what ``open`` opens, for the check that messages name it.

    What not every source can do, each left out where it is None: ``change`` changes some bytes of the device, of which no
    object is open then; ``cut`` takes away the second half of the device while an object is open; ``open_missing`` opens
    what is not there; ``open_named`` makes a device of that content under an odd name, and opens it by its URL (it may
    call ``pytest.skip`` for a name that no device can have); ``open_silent`` opens a device at a host and port, with short
    time-outs.
    """

    open: Callable[[], Source]
    content: bytes | None = None
    url: str = ""
    change: Callable[[], None] | None = None
    cut: Callable[[], None] | None = None
    open_missing: Callable[[], Source] | None = None
    open_named: Callable[[str], Source] | None = None
    open_silent: Callable[[str, int], Source] | None = None


class SourceTrouble:
    """See :class:`backy2_core.testing.source.SourceSuite`."""

    patience_s: float = 60.0

    @pytest.fixture
    def subject(self) -> SourceSubject:
        """The source under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture subject")

    def test_closing_twice_does_nothing(self, subject: SourceSubject) -> None:
        source = subject.open()
        source.close()
        source.close()

    def test_a_closed_source_is_not_read(self, subject: SourceSubject) -> None:
        source = subject.open()
        source.close()
        with pytest.raises(SourceError):
            read(source, 0, 512)

    def test_what_is_not_there_is_an_error_that_names_it(self, subject: SourceSubject) -> None:
        if subject.open_missing is None:
            pytest.skip("the subject has no open_missing")
        with pytest.raises(SourceError) as raised:
            subject.open_missing()
        assert "://" in str(raised.value), f"expected the URL in the message, not only {raised.value}"

    def test_changed_content_has_another_identity(self, subject: SourceSubject) -> None:
        if subject.change is None:
            pytest.skip("the subject has no change")
        with subject.open() as source:
            before = source.identity
        subject.change()
        with subject.open() as source:
            after = source.identity
        assert before != after or after == "", (
            "the content changed and the identity did not: a backup would go on wrongly"
        )

    def test_a_device_that_became_shorter_is_an_error_and_no_zeros(self, subject: SourceSubject) -> None:
        if subject.cut is None:
            pytest.skip("the subject has no cut")
        with subject.open() as source:
            size = source.size_bytes
            subject.cut()
            assert source.size_bytes == size, "the size is fixed when the source is opened"
            with pytest.raises(SourceError) as raised:
                read(source, size - 1000, 1000)
            expect_url(raised.value, subject)
            with pytest.raises(SourceError):
                read(source, size // 2 - 500, 1000)

    def test_the_identity_is_that_of_the_opening(self, subject: SourceSubject) -> None:
        if subject.cut is None:
            pytest.skip("the subject has no cut")
        with subject.open() as source:
            before = source.identity
            subject.cut()
            assert source.identity == before, "the identity is fixed when the source is opened"

    def test_opening_again_and_again_leaves_nothing_behind(self, subject: SourceSubject) -> None:
        def use() -> None:
            with subject.open() as source:
                read(source, 0, 1)
                next(iter(source.allocated()), None)

        expect_nothing_left(use)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_a_device_of_an_odd_name_is_read(self, subject: SourceSubject, name: str) -> None:
        if subject.open_named is None or subject.content is None:
            pytest.skip("the subject has no open_named, or no content")
        with subject.open_named(name) as source:
            assert source.size_bytes == len(subject.content)
            assert read(source, 0, HALF_A_MIB) == subject.content[:HALF_A_MIB]

    def test_a_server_that_never_answers_is_given_up(self, subject: SourceSubject) -> None:
        if subject.open_silent is None:
            pytest.skip("the subject has no open_silent")
        with (
            SilentServer() as server,
            failing_within(self.patience_s, SourceError, retryable=None),
            subject.open_silent(server.host, server.port) as source,
        ):
            read(source, 0, 512)


def read(source: Source, offset: int, length: int) -> bytes:
    """Some bytes of a source."""
    # Not zeros: a source that leaves a part of the buffer as it was must be found out.
    buffer = bytearray(b"\xa5" * length)
    source.read_into(offset, memoryview(buffer))
    return bytes(buffer)


def expect_url(error: SourceError, subject: SourceSubject) -> None:
    """The message names the source, where the subject says what it is called."""
    assert subject.url in str(error), f"expected {subject.url} in the message, not only {error}"
