"""The promises of a transform, in memory, with the settings and the keys of the configuration."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, TransformError
from backy2_core.testing.live import Broken, Promises, Skipped, expect

REFUSALS = (BlobDamagedError, TransformError)
THREADS = 4
Parameters = dict[str, str | int]

BLOCKS = {
    "an empty block": b"",
    "a block of one byte": b"x",
    "a block of text": b"the same words again and again " * 3000,
    "a block of random bytes": random.Random(2).randbytes(65_537),
    "a block of 4 MiB": random.Random(3).randbytes(2 * 1024 * 1024) + bytes(2 * 1024 * 1024),
}


@dataclass(frozen=True, slots=True)
class TransformUnderCheck:
    """``make`` makes the transform: with None one that seals as configured, with parameters one that opens."""

    make: Callable[[Parameters | None], Transform]

    def sealed(self) -> Iterator[tuple[str, bytes, Transform, Sealed]]:
        """Each block with what the transform makes of it; skips the promise where it seals none."""
        transform, any_sealed = self.make(None), False
        for name, block in BLOCKS.items():
            sealed = transform.seal(memoryview(bytearray(block)))
            if sealed is not None:
                any_sealed = True
                yield name, block, transform, sealed
        if not any_sealed:
            raise Skipped("it leaves every block as it is")


PROMISES = Promises[TransformUnderCheck]()


@PROMISES.promise("what was sealed is opened, by another object too")
def _opens(subject: TransformUnderCheck) -> None:
    for name, block, transform, sealed in subject.sealed():
        data, envelope = bytes(sealed.data), bytes(sealed.envelope)
        clear = transform.unseal(memoryview(data), envelope, len(block))
        expect(bytes(clear) == block, f"{name} is opened to {len(clear)} other bytes")
        recorded = json.loads(json.dumps(transform.parameters))
        again = subject.make(recorded).unseal(memoryview(data), envelope, len(block))
        expect(bytes(again) == block, f"{name} is opened to other bytes by the recorded parameters")


@PROMISES.promise("its parameters are plain, the same each time, and no secret")
def _has_plain_parameters(subject: TransformUnderCheck) -> None:
    transform = subject.make(None)
    parameters = transform.parameters
    plain = all(isinstance(key, str) and isinstance(value, str | int) for key, value in parameters.items())
    expect(plain, "they hold more than texts and numbers")
    expect(parameters == subject.make(None).parameters, "two objects have other parameters")
    expect(transform.key == subject.make(None).key, "two objects have other keys")


@PROMISES.promise("sealing leaves the block as it was, and keeps no view of it")
def _leaves_the_block(subject: TransformUnderCheck) -> None:
    transform = subject.make(None)
    for name, block in BLOCKS.items():
        buffer = bytearray(block)
        sealed = transform.seal(memoryview(buffer))
        expect(buffer == block, f"{name} was changed")
        try:
            buffer.extend(b"this fails while somebody holds a view")
        except BufferError as error:
            raise Broken(f"it keeps a view of {name}") from error
        before = b"" if sealed is None else bytes(sealed.data)
        buffer[:] = bytes(len(buffer))
        transform.seal(memoryview(bytearray(BLOCKS["a block of text"])))
        same = sealed is None or bytes(sealed.data) == before
        expect(same, f"what {name} was sealed to changed when its buffer was used again")


@PROMISES.promise("what was changed or cut is refused, or at least never larger than the block")
def _refuses_damage(subject: TransformUnderCheck) -> None:
    for name, block, transform, sealed in subject.sealed():
        data, envelope = bytes(sealed.data), bytes(sealed.envelope)
        for what, damaged in (("cut", data[:-1]), ("changed", data[:-1] + bytes([data[-1] ^ 0xFF]) if data else b"?")):
            try:
                clear = transform.unseal(memoryview(damaged), envelope, len(block))
            except REFUSALS:
                continue
            expect(what != "cut", f"{name} was cut, and opened all the same")
            expect(len(clear) <= len(block), f"{name} was opened to more bytes than it has")


@PROMISES.promise("a block larger than said is refused")
def _refuses_bombs(subject: TransformUnderCheck) -> None:
    for name, block, transform, sealed in subject.sealed():
        if block:
            try:
                transform.unseal(sealed.data, sealed.envelope, len(block) - 1)
            except REFUSALS:
                continue
            raise Broken(f"{name} was opened to more bytes than were allowed")


@PROMISES.promise("many threads seal and open at once")
def _serves_threads(subject: TransformUnderCheck) -> None:
    transform = subject.make(None)

    def round_trip(number: int) -> bool:
        block = random.Random(number).randbytes(500) * 100
        sealed = transform.seal(memoryview(bytearray(block)))
        return sealed is None or bytes(transform.unseal(sealed.data, sealed.envelope, len(block))) == block

    with ThreadPoolExecutor(THREADS) as pool:
        right = list(pool.map(round_trip, range(100)))
    expect(all(right), f"{right.count(False)} of {len(right)} blocks were opened to other bytes")
