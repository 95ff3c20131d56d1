"""The suites for transforms, listeners and formatters pass for what is right, and fail for what is wrong."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO, cast

import pytest
from cliff.formatters.json_format import JSONFormatter

from backy2_core.contracts.formatter import ListFormatter
from backy2_core.contracts.listener import Listener
from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError
from backy2_core.model.event import DamageFound, Event
from backy2_core.testing.formatter import ROWS, Formatter, FormatterSuite
from backy2_core.testing.listener import ListenerSuite
from backy2_core.testing.samples import EVENTS
from backy2_core.testing.simple import IdentityTransform, RecordingListener
from backy2_core.testing.transform import BLOCKS, MakeTransform, TransformSuite


class ChecksummedZlib(Transform):
    """Compresses, and checks by zlib's own checksum."""

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"name": "zlib", "level": 1}

    def seal(self, data: memoryview) -> Sealed | None:
        packed = zlib.compress(data, 1)
        return Sealed(memoryview(packed)) if len(packed) < len(data) else None

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        unpacker = zlib.decompressobj()
        try:
            clear = unpacker.decompress(data, clear_size)
            more = unpacker.decompress(unpacker.unconsumed_tail, 1)
        except zlib.error as error:
            raise BlobDamagedError(f"zlib: {error}") from error
        if more or not unpacker.eof:
            raise BlobDamagedError(f"zlib: more than {clear_size} bytes, or cut")
        return memoryview(clear)


class TestRightTransform(TransformSuite):
    detects_damage = True

    @pytest.fixture
    def make(self) -> MakeTransform:
        return lambda parameters: ChecksummedZlib()


class TestIdentityTransform(TransformSuite):
    detects_damage = False

    @pytest.fixture
    def make(self) -> MakeTransform:
        return lambda parameters: IdentityTransform()


class KeepsItsInput(ChecksummedZlib):
    """Wrong: returns a view of the caller's buffer."""

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(data)


class ForgetsTheBound(ChecksummedZlib):
    """Wrong: unpacks whatever size."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return super().unseal(data, envelope, 1 << 40)


class CountsInParameters(ChecksummedZlib):
    """Wrong: the parameters change."""

    count = 0

    @property
    def parameters(self) -> dict[str, str | int]:
        self.count += 1
        return {"count": self.count}


class LetsErrorsOut(ChecksummedZlib):
    """Wrong: raises what the library raises."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return memoryview(zlib.decompress(data))


@pytest.mark.parametrize(
    ("make", "promise"),
    [
        (
            KeepsItsInput,
            lambda s, m: s.test_a_sealed_block_does_not_change_when_the_buffer_is_reused(m, BLOCKS["text"]),
        ),
        (ForgetsTheBound, lambda s, m: s.test_a_result_larger_than_the_bound_is_refused(m)),
        (CountsInParameters, lambda s, m: s.test_parameters_are_plain_and_do_not_change(m)),
        (LetsErrorsOut, lambda s, m: s.test_a_cut_block_is_refused(m, BLOCKS["text"])),
    ],
)
def test_a_wrong_transform_is_found_out(
    make: type[Transform], promise: Callable[[TransformSuite, MakeTransform], None]
) -> None:
    with pytest.raises((AssertionError, zlib.error, pytest.fail.Exception)):
        promise(TransformSuite(), lambda parameters: make())


class CountingListener(Listener):
    """Counts damage, passes over everything else."""

    def __init__(self) -> None:
        self.damaged = 0

    def notify(self, event: Event) -> None:
        self.damaged += isinstance(event, DamageFound)


class TestRightListener(ListenerSuite):
    @pytest.fixture
    def listener(self) -> Listener:
        return CountingListener()


class TestRecordingListener(ListenerSuite):
    @pytest.fixture
    def listener(self) -> Listener:
        return RecordingListener()


class KnowsOnlyToday(Listener):
    """Wrong: an event of a later release ends in an error."""

    def notify(self, event: Event) -> None:
        if event not in EVENTS:
            raise KeyError(type(event))


def test_a_wrong_listener_is_found_out() -> None:
    with pytest.raises(KeyError):
        ListenerSuite().test_an_unknown_event_is_ignored(KnowsOnlyToday())


class TestRightFormatter(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return cast(Formatter, JSONFormatter())


class CountsRowsTwice(ListFormatter):
    """Wrong: needs a list that can be gone through twice, and sorts it."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        pass

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        stdout.write(f"{len(list(data))} rows\n")
        for row in sorted(data, key=str, reverse=True):
            stdout.write(f"{row}\n")


def test_a_wrong_formatter_is_found_out() -> None:
    suite = FormatterSuite()
    assert ROWS
    for promise in (suite.test_rows_may_come_one_by_one, suite.test_rows_are_written_in_their_order):
        with pytest.raises(AssertionError):
            promise(CountsRowsTwice())
