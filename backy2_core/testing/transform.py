"""The conformance suite for transforms: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyTransform(TransformSuite):
        @pytest.fixture
        def make(self):
            return lambda parameters: MyTransform(settings, parameters)

``make`` is the hook ``backy2_make_transform`` without its settings: with None it makes what seals, with parameters that
were recorded what opens.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, TransformError

MakeTransform = Callable[[dict[str, str | int] | None], Transform]
THREADS = 8
REFUSALS = (TransformError, BlobDamagedError)
"""What opening may raise: the second where the bytes are proven not to be those that were sealed."""


def _random(size: int) -> bytes:
    return random.Random(size).randbytes(size)


BLOCKS = {
    "one-byte": b"x",
    "zeros": bytes(65536),
    "text": b"the same words again and again " * 3000,
    "random": _random(65536),
    "odd-length": _random(4099) + bytes(100),
    "large": _random(2 * 1024 * 1024) + bytes(2 * 1024 * 1024),
}


class TransformSuite:
    """Subclass it, and give the fixture ``make``.

    ``detects_damage``: True for a transform that proves every change of a sealed byte, as authenticated encryption does.
    """

    detects_damage: bool = False

    @pytest.fixture
    def make(self) -> MakeTransform:
        """Makes the transform under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture make")

    @pytest.fixture(params=sorted(BLOCKS))
    def block(self, request: pytest.FixtureRequest) -> bytes:
        """A clear block."""
        return BLOCKS[request.param]

    def test_what_was_sealed_is_opened(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            assert bytes(transform.unseal(sealed.data, sealed.envelope, len(block))) == block

    def test_another_object_opens_with_the_recorded_parameters(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            recorded = json.loads(json.dumps(transform.parameters))
            data = memoryview(bytes(sealed.data))
            assert bytes(make(recorded).unseal(data, bytes(sealed.envelope), len(block))) == block

    def test_at_least_one_kind_of_block_is_sealed(self, make: MakeTransform) -> None:
        transform = make(None)
        assert any(_seal(transform, block) is not None for block in BLOCKS.values())

    def test_parameters_are_plain_and_do_not_change(self, make: MakeTransform) -> None:
        transform = make(None)
        before = dict(transform.parameters)
        _seal(transform, BLOCKS["text"])
        assert transform.parameters == before == make(None).parameters
        assert all(isinstance(key, str) and isinstance(value, str | int) for key, value in before.items())
        assert transform.key == make(None).key

    def test_sealing_leaves_the_block_as_it_was_and_keeps_no_view(self, make: MakeTransform, block: bytes) -> None:
        transform, buffer = make(None), bytearray(block)
        sealed = transform.seal(memoryview(buffer))
        assert buffer == block
        kept = None if sealed is None else Sealed(memoryview(bytes(sealed.data)), bytes(sealed.envelope))
        del sealed
        buffer.extend(b"resizing fails while somebody holds a view")
        if kept is not None:
            assert bytes(transform.unseal(kept.data, kept.envelope, len(block))) == block

    def test_a_sealed_block_does_not_change_when_the_buffer_is_reused(self, make: MakeTransform, block: bytes) -> None:
        transform, buffer = make(None), bytearray(block)
        sealed = transform.seal(memoryview(buffer))
        if sealed is not None:
            before = bytes(sealed.data)
            buffer[:] = bytes(b ^ 0xFF for b in block[:64]) + buffer[64:] if len(block) > 64 else bytes(len(block))
            _seal(transform, _random(len(block)))
            assert bytes(sealed.data) == before

    def test_opening_leaves_the_sealed_bytes_as_they_were(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            buffer = bytearray(sealed.data)
            clear = transform.unseal(memoryview(buffer), sealed.envelope, len(block))
            assert buffer == sealed.data
            buffer[:] = bytes(len(buffer))
            assert bytes(clear) == block

    def test_a_result_larger_than_the_bound_is_refused(self, make: MakeTransform) -> None:
        transform = make(None)
        for block in BLOCKS.values():
            sealed = _seal(transform, block)
            if sealed is not None:
                with pytest.raises(REFUSALS):
                    transform.unseal(sealed.data, sealed.envelope, len(block) - 1)

    def test_a_cut_block_is_refused(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            for length in {0, len(sealed.data) // 2, len(sealed.data) - 1}:
                with pytest.raises(REFUSALS):
                    transform.unseal(sealed.data[:length], sealed.envelope, len(block))

    def test_a_changed_block_is_refused_or_at_least_not_mistaken(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is None:
            pytest.skip("this block is left as it is")
        for position in {0, len(sealed.data) // 2, len(sealed.data) - 1}:
            damaged = bytearray(sealed.data)
            damaged[position] ^= 0xFF
            try:
                clear = transform.unseal(memoryview(damaged), sealed.envelope, len(block))
            except REFUSALS:
                continue
            assert not self.detects_damage, f"byte {position} was changed and nobody noticed"
            assert len(clear) <= len(block)

    def test_many_threads_seal_and_open_at_once(self, make: MakeTransform) -> None:
        transform = make(None)

        def both(number: int) -> bool:
            block = random.Random(number).randbytes(500) * 100
            sealed = _seal(transform, block)
            return sealed is None or bytes(transform.unseal(sealed.data, sealed.envelope, len(block))) == block

        with ThreadPoolExecutor(THREADS) as pool:
            assert all(pool.map(both, range(200)))


def _seal(transform: Transform, block: bytes) -> Sealed | None:
    return transform.seal(memoryview(bytearray(block)))
