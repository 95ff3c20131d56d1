"""The conformance suite for transforms: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMyTransform(TransformSuite):
        @pytest.fixture
        def make(self):
            return lambda parameters: MyTransform(settings, parameters)

``make`` is the hook ``backy2_make_transform`` without its settings and its keyring: with None it makes what seals, with
parameters that were recorded what opens. A transform with a key is given one keyring at each call, such as
``backy2_core.testing.keys.FixedKeyring()``.
"""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, KeyringError, TransformError

MakeTransform = Callable[[dict[str, str | int] | None], Transform]
THREADS = 8
LARGEST = 64 * 1024 * 1024
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
    ``secret_texts``: keys that it was made with, to be looked for in parameters and messages. The fixture
    ``make_with_another_key`` is ``make`` with another keyring; without it nothing is tried with a wrong key.
    """

    detects_damage: bool = False
    secret_texts: Sequence[str] = ()

    @pytest.fixture
    def make(self) -> MakeTransform:
        """Makes the transform under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture make")

    @pytest.fixture
    def make_with_another_key(self) -> MakeTransform | None:
        """Makes the transform under test with another key; to be overridden where there is one."""
        return None

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
        assert isinstance(transform.packs, bool)

    def test_parameters_hold_no_secret(self, make: MakeTransform) -> None:
        if not self.secret_texts:
            pytest.skip("the suite names no secret_texts")
        transform = make(None)
        shown = [json.dumps(transform.parameters), transform.key, repr(transform)]
        for secret in self.secret_texts:
            assert not any(secret in text for text in shown), (
                "parameters are recorded in the clear: no secret may be in them"
            )

    def test_a_step_that_packs_makes_blocks_smaller(self, make: MakeTransform) -> None:
        transform = make(None)
        if not transform.packs:
            pytest.skip("declares packs=False")
        for name in ("zeros", "text"):
            sealed = _seal(transform, BLOCKS[name])
            size = len(BLOCKS[name]) if sealed is None else len(sealed.data)
            assert size < len(BLOCKS[name]) // 2, f"declares packs=True, and leaves the block {name!r} at {size} bytes"

    def test_what_is_returned_is_bytes_of_the_callers(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            clear = transform.unseal(sealed.data, sealed.envelope, len(block))
            assert isinstance(sealed.data, memoryview)
            assert isinstance(clear, memoryview)
            assert isinstance(sealed.envelope, bytes)
            assert len(bytes(sealed.data)) == len(sealed.data), "expected a view of single bytes"

    def test_read_only_buffers_are_sealed_and_opened(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = transform.seal(memoryview(b"##" + block)[2:])
        if sealed is not None:
            stored = memoryview(b"##" + bytes(sealed.data))[2:]
            assert bytes(transform.unseal(stored, sealed.envelope, len(block))) == block

    def test_the_largest_block_is_sealed_and_opened(self, make: MakeTransform) -> None:
        transform, block = make(None), _random(1024 * 1024) + bytes(LARGEST - 1024 * 1024)
        sealed = transform.seal(memoryview(block))
        if sealed is not None:
            assert transform.unseal(sealed.data, sealed.envelope, LARGEST) == block

    def test_a_bomb_is_not_unpacked(self, make: MakeTransform) -> None:
        transform = make(None)
        sealed = transform.seal(memoryview(bytes(LARGEST)))
        if sealed is None or len(sealed.data) > LARGEST // 64:
            pytest.skip("zeros are not packed: no bomb can be made")
        tracemalloc.start()
        try:
            with pytest.raises(REFUSALS):
                transform.unseal(sealed.data, sealed.envelope, 4096)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < LARGEST // 4, f"{peak} bytes were unpacked for a block of at most 4096"

    def test_another_key_is_told_from_damage(
        self, make: MakeTransform, make_with_another_key: MakeTransform | None, block: bytes
    ) -> None:
        if make_with_another_key is None:
            pytest.skip("declares no fixture make_with_another_key")
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            with pytest.raises(KeyringError):
                make_with_another_key(transform.parameters).unseal(sealed.data, sealed.envelope, len(block))

    def test_sealing_leaves_the_block_as_it_was_and_keeps_no_view(self, make: MakeTransform, block: bytes) -> None:
        transform, buffer = make(None), bytearray(block)
        sealed = transform.seal(memoryview(buffer))
        assert buffer == block
        kept = None if sealed is None else Sealed(memoryview(bytes(sealed.data)), bytes(sealed.envelope))
        del sealed
        try:
            buffer.extend(b"resizing fails while somebody holds a view")
        except BufferError as error:
            raise AssertionError("a view of the caller's buffer was kept behind seal") from error
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

    def test_what_was_opened_does_not_change_when_more_is_opened(self, make: MakeTransform) -> None:
        transform, blocks = make(None), [BLOCKS["text"], BLOCKS["random"], BLOCKS["zeros"]]
        opened = []
        for block in blocks:
            sealed = _seal(transform, block)
            clear = memoryview(block) if sealed is None else transform.unseal(sealed.data, sealed.envelope, len(block))
            opened.append(clear)
        assert [bytes(clear) for clear in opened] == blocks, "a later block was opened into the bytes of an earlier one"

    def test_opening_keeps_no_view(self, make: MakeTransform, block: bytes) -> None:
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            buffer = bytearray(sealed.data)
            transform.unseal(memoryview(buffer), sealed.envelope, len(block))
            try:
                buffer.extend(b"resizing fails while somebody holds a view")
            except BufferError as error:
                raise AssertionError("a view of the caller's buffer was kept behind unseal") from error

    def test_the_key_does_not_change(self, make: MakeTransform) -> None:
        transform = make(None)
        before = transform.key
        _seal(transform, BLOCKS["text"])
        assert transform.key == before

    def test_errors_hold_no_secret(self, make: MakeTransform, block: bytes) -> None:
        if not self.secret_texts:
            pytest.skip("the suite names no secret_texts")
        transform = make(None)
        sealed = _seal(transform, block)
        if sealed is not None:
            with pytest.raises(REFUSALS) as raised:
                transform.unseal(sealed.data[: len(sealed.data) // 2], sealed.envelope, len(block))
            assert not any(secret in f"{raised.value} {raised.value!r}" for secret in self.secret_texts)

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
            except BlobDamagedError:
                continue
            except TransformError:
                assert not self.detects_damage, "what is proven to be damaged is a BlobDamagedError"
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
