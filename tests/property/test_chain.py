"""Chains of transforms: whatever was sealed is opened by what was recorded, envelopes and skipped steps included."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.engine.chain import Chain, describe
from backy2_core.errors import BlobDamagedError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState, BlobUid, StoreId


class Tail(Transform):
    """Moves the last ``count`` bytes into the envelope; leaves blocks alone whose first byte is in ``skips``."""

    def __init__(self, count, skips=b"", key=""):
        self._count = count
        self._skips = skips
        self._key = key

    @property
    def parameters(self):
        return {"count": self._count}

    @property
    def key(self):
        return self._key

    def seal(self, data):
        if bytes(data[:1]) in [self._skips[n : n + 1] for n in range(len(self._skips))]:
            return None
        cut = max(0, len(data) - self._count)
        return Sealed(memoryview(bytes(data[:cut])[::-1]), bytes(data[cut:]))

    def unseal(self, data, envelope, clear_size):
        opened = bytes(data)[::-1] + envelope
        assert len(opened) <= clear_size
        return memoryview(opened)


def make(name, parameters):
    assert name.startswith("tail")
    return Tail(parameters["count"])


def recorded(sealed, size):
    return BlobRecord(
        date=datetime(2024, 1, 31, tzinfo=UTC),
        id=BlobId(1),
        store=StoreId(1),
        uid=BlobUid("u"),
        size=size,
        stored_size=len(sealed.data),
        hash="blake3",
        checksum=b"",
        key="",
        transforms=sealed.transforms,
        envelope=sealed.envelope,
        state=BlobState.STORED,
    )


STEPS = st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=2)), max_size=5)


@given(STEPS, st.binary(min_size=1, max_size=60))
def test_what_a_chain_sealed_is_opened_by_what_was_recorded(steps, block):
    chain = Chain([(f"tail{n}", Tail(count, skips)) for n, (count, skips) in enumerate(steps)], make)
    sealed = chain.seal(memoryview(block))
    stranger = Chain([("tail-other", Tail(3))], make)
    assert bytes(stranger.unseal(recorded(sealed, len(block)), sealed.data)) == block


@given(STEPS, st.binary(min_size=1, max_size=60))
def test_steps_that_left_the_block_alone_are_not_recorded(steps, block):
    chain = Chain([(f"tail{n}", Tail(count, block[:1])) for n, (count, _) in enumerate(steps)], make)
    sealed = chain.seal(memoryview(block))
    assert (sealed.transforms, sealed.envelope, bytes(sealed.data)) == ("", b"", block)


def test_the_record_names_the_steps_in_order_of_sealing():
    chain = Chain([("tail-one", Tail(1)), ("tail-two", Tail(2))], make)
    sealed = chain.seal(memoryview(b"12345678"))
    assert json.loads(sealed.transforms) == [["tail-one", {"count": 1}], ["tail-two", {"count": 2}]]


def test_the_key_of_a_chain_is_that_of_its_step_with_a_key():
    assert Chain([("tail-one", Tail(1)), ("tail-two", Tail(2, key="k7"))], make).key == "k7"
    assert Chain([], make).key == ""


@pytest.mark.parametrize("spec", ["nonsense", "{", "[1]", '[["tail-one"]]', '[["tail-one", 3]]', "null"])
def test_a_recorded_chain_that_cannot_be_read_is_damage_of_its_record(spec):
    sealed = Chain([("tail-one", Tail(1))], make).seal(memoryview(b"abc"))
    record = recorded(sealed, 3)
    broken = BlobRecord(**{name: getattr(record, name) for name in BlobRecord.__slots__} | {"transforms": spec})
    with pytest.raises(BlobDamagedError):
        Chain([], make).unseal(broken, sealed.data)


@given(st.binary(min_size=1, max_size=24), st.binary(min_size=12, max_size=20))
def test_an_envelope_that_does_not_fit_is_damage_of_its_record(envelope, block):
    """An edited record must not end in an error that names nothing."""
    chain = Chain([("tail-one", Tail(2)), ("tail-two", Tail(3))], make)
    sealed = chain.seal(memoryview(block))
    record = recorded(sealed, len(block))
    edited = BlobRecord(**{name: getattr(record, name) for name in BlobRecord.__slots__} | {"envelope": envelope})
    lengths, at = [], 0
    while at + 4 <= len(envelope) and len(lengths) < 2:
        lengths.append(int.from_bytes(envelope[at : at + 4], "little"))
        at += 4 + lengths[-1]
    fits = len(lengths) == 2 and at == len(envelope)
    if not fits:
        with pytest.raises(BlobDamagedError):
            Chain([], make).unseal(edited, sealed.data)


@given(STEPS, st.binary(min_size=1, max_size=60))
def test_what_is_described_from_outside_is_what_sealing_records(steps, block):
    """An import knows the steps and envelopes of a blob that it never sealed."""
    done, envelopes, data = [], [], memoryview(block)
    for number, (count, skips) in enumerate(steps):
        sealed = Tail(count, skips).seal(data)
        if sealed is not None:
            done.append((f"tail{number}", {"count": count}))
            envelopes.append(sealed.envelope)
            data = sealed.data
    chain = Chain([(f"tail{n}", Tail(count, skips)) for n, (count, skips) in enumerate(steps)], make)
    sealed = chain.seal(memoryview(block))
    assert describe(done, envelopes) == (sealed.transforms, sealed.envelope)


def test_a_description_is_compact_and_its_steps_and_envelopes_are_as_many():
    envelope = bytes(range(40))
    assert describe([("backy2_v1", {})], [envelope]) == ('[["backy2_v1",{}]]', b"\x28\0\0\0" + envelope)
    assert describe([], []) == ("", b"")
    assert describe([("one", {}), ("two", {})], [b"", b""])[1] == b""
    with pytest.raises(ValueError, match="1 steps cannot have 2 envelopes"):
        describe([("one", {})], [b"", b""])


def test_threads_that_need_one_opener_at_once_make_it_once():
    """Making one loads a plugin, which only one thread may do at a time."""
    inside, made = threading.Lock(), []

    def slow(name, parameters):
        assert inside.acquire(blocking=False), "two threads make a transform at once"
        made.append(name)
        threading.Event().wait(0.05)
        inside.release()
        return make(name, parameters)

    chain = Chain([("tail-one", Tail(1))], slow)
    sealed = chain.seal(memoryview(b"abc"))
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(chain.unseal, recorded(sealed, 3), sealed.data) for _ in range(8)]
    assert [bytes(each.result()) for each in opened] == [b"abc"] * 8
    assert made == ["tail-one"]
