"""The live check finds broken sources, targets, transforms, formatters and listeners, and names the promise."""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TextIO

import pytest
from cliff.formatters.base import ListFormatter, SingleFormatter

from backy2_core.contracts.listener import Listener
from backy2_core.contracts.source import Source, TargetRequest
from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, RefusedError, SourceError, TargetError
from backy2_core.model.event import Event
from backy2_core.model.extent import Extent
from backy2_core.testing import live_output, live_source, live_target, live_transform
from backy2_core.testing.live import Outcome, Verdict
from backy2_core.testing.live_output import ListenerUnderCheck
from backy2_core.testing.live_source import DeviceUnderCheck
from backy2_core.testing.live_target import NewTarget
from backy2_core.testing.live_transform import TransformUnderCheck
from backy2_core.testing.memory import MemorySource, MemoryTarget

MIB = 1024 * 1024
CONTENT = random.Random(1).randbytes(MIB) + bytes(MIB) + random.Random(2).randbytes(MIB + 77)
DATA = [Extent(0, MIB), Extent(2 * MIB, MIB + 77)]


def ids(faults: Sequence[tuple[Any, str]]) -> list[str]:
    return [f"{getattr(fault, '__name__', fault)}: {what}" for fault, what in faults]


def found(outcomes: Iterable[Outcome], promise: str) -> tuple[Verdict, bool]:
    outcome = next(each for each in outcomes if each.promise == promise)
    return outcome.verdict, bool(outcome.reason)


BROKEN = (Verdict.BROKEN, True)

# -- sources


class Grows(MemorySource):
    sizes = count(len(CONTENT) + 1)

    @property
    def size_bytes(self) -> int:
        return next(self.sizes)


class NewIdentity(MemorySource):
    numbers = count()

    @property
    def identity(self) -> str:
        return f"state {next(self.numbers)}"


class WholePages(MemorySource):
    """Begins each read at a page."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset - offset % 4096 if offset + len(buffer) < MIB else offset, buffer)


class LeavesTheEnd(MemorySource):
    """A short read is taken for a whole one."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer[: len(buffer) - len(buffer) // 4000])


class Hoards(MemorySource):
    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        self.hoard = buffer


class ZerosBehindTheEnd(MemorySource):
    def read_into(self, offset: int, buffer: memoryview) -> None:
        length = max(0, min(len(buffer), len(CONTENT) - offset))
        super().read_into(offset, buffer[:length])
        buffer[length:] = bytes(len(buffer) - length)


class OneHead(MemorySource):
    """Seeks and reads in two steps."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.offset = offset
        if threading.active_count() > 1:
            time.sleep(0.0001)
        super().read_into(min(self.offset, len(CONTENT) - len(buffer)), buffer)


class Backwards(MemorySource):
    def allocated(self) -> Iterator[Extent]:
        return iter(DATA[::-1])


class TooFar(MemorySource):
    def allocated(self) -> Iterator[Extent]:
        return iter([Extent(0, len(CONTENT) + 1)])


class Forgetful(MemorySource):
    """Tells of the first range only."""

    def allocated(self) -> Iterator[Extent]:
        return iter(DATA[:1])


class ClosesOnce(MemorySource):
    def close(self) -> None:
        if self._closed:
            raise OSError(9, "Bad file descriptor")
        super().close()


SOURCE_FAULTS: list[tuple[type[MemorySource], str]] = [
    (Grows, "its size is the same each time it is opened"),
    (NewIdentity, "its identity is the same for two that open it one after the other"),
    (WholePages, "the same range gives the same bytes, alone and as a part of a larger one"),
    (LeavesTheEnd, "only the buffer is written to, all of it, and it is not kept"),
    (Hoards, "only the buffer is written to, all of it, and it is not kept"),
    (ZerosBehindTheEnd, "reading beyond the end is an error, never zeros"),
    (OneHead, "many threads read at once, and agree"),
    (Backwards, "allocated ranges ascend, do not overlap and lie within the device"),
    (TooFar, "allocated ranges ascend, do not overlap and lie within the device"),
    (Forgetful, "what is not allocated reads as zeros"),
    (ClosesOnce, "closing twice is no error"),
]


@pytest.mark.parametrize(("kind", "promise"), SOURCE_FAULTS, ids=ids(SOURCE_FAULTS))
def test_a_fault_of_a_source_is_found(kind: type[MemorySource], promise: str) -> None:
    with DeviceUnderCheck(lambda: kind(CONTENT, data=DATA, identity="one")) as device:
        assert found(live_source.PROMISES.check(device), promise) == BROKEN


def test_a_good_source_keeps_all_and_a_changing_one_is_not_called_broken() -> None:
    with DeviceUnderCheck(lambda: MemorySource(CONTENT, data=DATA, identity="one")) as device:
        assert {each.verdict for each in live_source.PROMISES.check(device)} == {Verdict.KEPT}

    class Busy(MemorySource):
        numbers = count()

        def read_into(self, offset: int, buffer: memoryview) -> None:
            super().read_into(offset, buffer)
            if offset < MIB:
                buffer[:1] = bytes([next(self.numbers) % 256])

    with DeviceUnderCheck(lambda: Busy(CONTENT, data=DATA)) as device:
        outcomes = list(live_source.PROMISES.check(device))
    assert {each.verdict for each in outcomes} == {Verdict.KEPT, Verdict.SKIPPED}
    assert any("somebody writes to the device" in each.reason for each in outcomes)


@pytest.mark.parametrize("content", [b"", b"x", b"ab" * 300])
def test_the_smallest_devices_are_checked_too(content: bytes) -> None:
    with DeviceUnderCheck(lambda: MemorySource(content)) as device:
        assert not [each for each in live_source.PROMISES.check(device) if each.verdict is Verdict.BROKEN]


# -- targets


class Device:
    """What targets of a kind write, and its source reads."""

    def __init__(self, kind: type[MemoryTarget], content: bytes | None = None) -> None:
        self._kind = kind
        self.content: bytearray | None = None if content is None else bytearray(content)

    def open_target(self, request: TargetRequest) -> MemoryTarget:
        target = self._kind(request, self.content)
        self.content = target.content
        return target

    def open_source(self) -> Source:
        if self.content is None:
            raise SourceError("there is nothing")
        return MemorySource(bytes(self.content))


class WritesTooLate(MemoryTarget):
    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset + offset % 7, data[: len(data) - offset % 7])


class ZerosNothing(MemoryTarget):
    def __init__(self, request: TargetRequest, content: bytearray | None = None) -> None:
        super().__init__(request, content)
        if content is None:
            self.content[:] = b"\xee" * len(self.content)

    def zero(self, offset: int, length: int) -> None:
        if offset < 2 * MIB or offset > 5 * MIB:
            super().zero(offset, length)


class OneArm(MemoryTarget):
    def write(self, offset: int, data: memoryview) -> None:
        self.offset = offset
        if len(data) == 65_536:
            time.sleep(0.001)
        super().write(self.offset if self.offset + len(data) <= len(self.content) else offset, data)


class KeepsBuffers(MemoryTarget):
    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data)
        self.kept = offset, data

    def flush(self) -> None:
        super().write(*self.kept)


class TakesAll(MemoryTarget):
    def __init__(self, request: TargetRequest, content: bytearray | None = None) -> None:
        super().__init__(TargetRequest(request.size_bytes, force=True, sparse=True), content)


class ClosesTargetsOnce(MemoryTarget):
    def close(self) -> None:
        if self._closed:
            raise TargetError("closed twice")
        super().close()


TARGET_FAULTS: list[tuple[type[MemoryTarget], str]] = [
    (WritesTooLate, "every byte is read where it was written"),
    (ZerosNothing, "zeros are where they were asked for, and nowhere else"),
    (OneArm, "many threads write at once"),
    (KeepsBuffers, "the buffer of a write is not kept"),
    (TakesAll, "what is there is refused without force, and left as it is"),
    (ClosesTargetsOnce, "flushing and closing twice is no error"),
]


@pytest.mark.parametrize(("kind", "promise"), TARGET_FAULTS, ids=ids(TARGET_FAULTS))
def test_a_fault_of_a_target_is_found(kind: type[MemoryTarget], promise: str) -> None:
    device = Device(kind)
    new = NewTarget("memory", device.open_target, device.open_source)
    assert found(live_target.PROMISES.check(new), promise) == BROKEN


def test_a_good_target_keeps_all_and_what_is_there_is_never_opened_for_writing() -> None:
    device = Device(MemoryTarget)
    with NewTarget("memory", device.open_target, device.open_source) as new:
        *outcomes, last = live_target.PROMISES.check(new)
    assert {each.verdict for each in outcomes} == {Verdict.KEPT}
    assert (last.verdict, "memory is to be removed by hand" in last.reason) == (Verdict.SKIPPED, True)
    there = Device(TakesAll, b"precious")
    with pytest.raises(RefusedError, match="is there already"):
        NewTarget("memory", there.open_target, there.open_source)
    assert there.content == b"precious"


# -- transforms


class Turn(Transform):
    """A good one: each byte turned, an envelope with the length."""

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"turn": 1}

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(memoryview(bytes(data).translate(_TURNED) + b"end"), str(len(data)).encode())

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        length = int(envelope)
        if length > clear_size or bytes(data[length:]) != b"end":
            raise BlobDamagedError("not what was sealed")
        return memoryview(bytes(data[:length]).translate(_TURNED))


_TURNED = bytes(range(255, -1, -1))


class OpensOnce(Turn):
    """Opens what this very object has sealed."""

    def __init__(self) -> None:
        self._mine: set[bytes] = set()

    def seal(self, data: memoryview) -> Sealed | None:
        sealed = super().seal(data)
        assert sealed is not None
        self._mine.add(bytes(sealed.data))
        return sealed

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return super().unseal(data if bytes(data) in self._mine else data[::-1], envelope, clear_size)


class FloatParameters(Turn):
    @property
    def parameters(self) -> dict[str, str | int]:
        return {"level": 1.5}  # type: ignore[dict-item]


class NewParameters(Turn):
    numbers = count()

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"turn": next(self.numbers)}


class ChangesTheBlock(Turn):
    def seal(self, data: memoryview) -> Sealed | None:
        sealed = super().seal(data)
        data[:] = bytes(len(data))
        return sealed


class KeepsTheView(Turn):
    def seal(self, data: memoryview) -> Sealed | None:
        self.kept = data
        return super().seal(data)


class HandsTheViewBack(Turn):
    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(data, b"")

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return data


class TrustsAll(Turn):
    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return memoryview(bytes(data[: int(envelope)]).translate(_TURNED))


class OneDesk(Turn):
    def seal(self, data: memoryview) -> Sealed | None:
        self.desk = bytes(data)
        if len(data) == 50_000:
            time.sleep(0.001)
        return super().seal(memoryview(self.desk))


TRANSFORM_FAULTS: list[tuple[type[Transform], str]] = [
    (OpensOnce, "what was sealed is opened, by another object too"),
    (FloatParameters, "its parameters are plain, the same each time, and no secret"),
    (NewParameters, "its parameters are plain, the same each time, and no secret"),
    (ChangesTheBlock, "sealing leaves the block as it was, and keeps no view of it"),
    (KeepsTheView, "sealing leaves the block as it was, and keeps no view of it"),
    (HandsTheViewBack, "sealing leaves the block as it was, and keeps no view of it"),
    (TrustsAll, "what was changed or cut is refused, or at least never larger than the block"),
    (TrustsAll, "a block larger than said is refused"),
    (OneDesk, "many threads seal and open at once"),
]


@pytest.mark.parametrize(("kind", "promise"), TRANSFORM_FAULTS, ids=ids(TRANSFORM_FAULTS))
def test_a_fault_of_a_transform_is_found(kind: type[Transform], promise: str) -> None:
    outcomes = live_transform.PROMISES.check(TransformUnderCheck(lambda parameters: kind()))
    assert found(outcomes, promise) == BROKEN


def test_a_good_transform_keeps_all_and_one_that_seals_nothing_is_skipped() -> None:
    good = live_transform.PROMISES.check(TransformUnderCheck(lambda parameters: Turn()))
    assert {each.verdict for each in good} == {Verdict.KEPT}

    class Idle(Turn):
        def seal(self, data: memoryview) -> Sealed | None:
            return None

    idle = list(live_transform.PROMISES.check(TransformUnderCheck(lambda parameters: Idle())))
    assert {each.reason for each in idle if each.verdict is Verdict.SKIPPED} == {"it leaves every block as it is"}


# -- formatters and listeners


class Plain(ListFormatter, SingleFormatter):
    """A good one."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        pass

    def emit_list(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        for row in data:
            stdout.write(";".join(map(str, row)) + "\n")

    def emit_one(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        self.emit_list(column_names, [data], stdout, parsed_args)


class TakesAnOption(Plain):
    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-m")


class Upside(Plain):
    def emit_list(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        super().emit_list(column_names, list(data)[::-1], stdout, parsed_args)


class NeedsARow(Plain):
    def emit_list(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        rows = list(data)
        len(rows[0])
        super().emit_list(column_names, rows, stdout, parsed_args)


class CutsRecords(Plain):
    def emit_one(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        super().emit_one(column_names, data[:1], stdout, parsed_args)


class Prints(Plain):
    def emit_list(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: Any) -> None:
        super().emit_list(column_names, data, stdout, parsed_args)
        sys.stdout.write("done\n")


FORMATTER_FAULTS: list[tuple[type[Plain], str]] = [
    (TakesAnOption, "its options stand beside those of commands"),
    (Upside, "every cell of a list is written, in order"),
    (NeedsARow, "an empty list is no error"),
    (CutsRecords, "every value of a record is written"),
    (Prints, "only the given stream is written to"),
]


@pytest.mark.parametrize(("kind", "promise"), FORMATTER_FAULTS, ids=ids(FORMATTER_FAULTS))
def test_a_fault_of_a_formatter_is_found(kind: type[Plain], promise: str) -> None:
    assert found(live_output.FORMATTER.check(kind()), promise) == BROKEN


class Deaf(Listener):
    """A good one."""

    told = 0

    def notify(self, event: Event) -> None:
        type(self).told += 1


class FailsToClose(Deaf):
    def close(self) -> None:
        raise OSError(5, "Input/output error")


class Breaks(Deaf):
    def notify(self, event: Event) -> None:
        raise KeyError(type(event).__name__)


class Strict(Deaf):
    def notify(self, event: Event) -> None:
        if type(event).__module__ != "backy2_core.model.event":
            raise TypeError(event)


LISTENER_FAULTS: list[tuple[type[Listener], str]] = [
    (FailsToClose, "it is made as configured, and closed"),
    (Breaks, "it takes note of every kind of event, and changes none"),
    (Strict, "it ignores events that it does not know"),
]


@pytest.mark.parametrize(("kind", "promise"), LISTENER_FAULTS, ids=ids(LISTENER_FAULTS))
def test_a_fault_of_a_listener_is_found(kind: type[Listener], promise: str) -> None:
    assert found(live_output.LISTENER.check(ListenerUnderCheck(kind, events=True)), promise) == BROKEN


def test_a_listener_is_told_nothing_unless_that_is_asked_for() -> None:
    outcomes = list(live_output.LISTENER.check(ListenerUnderCheck(Deaf, events=False)))
    assert Deaf.told == 0
    assert [each.verdict for each in outcomes] == [Verdict.KEPT, Verdict.SKIPPED, Verdict.SKIPPED]
    assert {each.verdict for each in live_output.LISTENER.check(ListenerUnderCheck(Deaf, events=True))} == {
        Verdict.KEPT
    }
    assert Deaf.told > 0
    assert {each.verdict for each in live_output.FORMATTER.check(Plain())} == {Verdict.KEPT}


def test_every_promise_has_a_planted_fault() -> None:
    for faults, promises in (
        (SOURCE_FAULTS, live_source.PROMISES),
        (TARGET_FAULTS, live_target.PROMISES),
        (TRANSFORM_FAULTS, live_transform.PROMISES),
        (FORMATTER_FAULTS, live_output.FORMATTER),
        (LISTENER_FAULTS, live_output.LISTENER),
    ):
        left_out = {"the target is left for whoever asked for the check"}
        assert {promise for _, promise in faults} == set(promises.texts) - left_out
