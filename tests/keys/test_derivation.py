"""Deriving and wrapping keys: the published vectors, and what a keyring promises."""

from __future__ import annotations

import itertools
import traceback

import pytest

from backy2_core.engine.key_wrap import unwrap, wrap
from backy2_core.engine.keyring import StoreKeyring, hkdf_sha256, new_store_key
from backy2_core.model.secret import Secret


@pytest.mark.parametrize(
    ("key", "salt", "info", "length", "expected"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)).hex(),
            bytes(range(0x60, 0xB0)).hex(),
            bytes(range(0xB0, 0x100)).hex(),
            82,
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            "0b" * 22,
            "",
            "",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.2", "A.3"],
)
def test_derivation_gives_the_results_that_rfc_5869_states(
    key: str, salt: str, info: str, length: int, expected: str
) -> None:
    made = hkdf_sha256(bytes.fromhex(key), bytes.fromhex(info), length, bytes.fromhex(salt))
    assert made.hex() == expected


@pytest.mark.parametrize(
    ("master", "key", "expected"),
    [
        (16, "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
        (24, "00112233445566778899aabbccddeeff", "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
        (32, "00112233445566778899aabbccddeeff", "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
        (
            32,
            "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ],
)
def test_wrapping_gives_the_results_that_rfc_3394_states(master: int, key: str, expected: str) -> None:
    assert wrap(bytes(range(master)), bytes.fromhex(key)).hex() == expected
    opened = unwrap(bytes(range(master)), bytes.fromhex(expected))
    assert opened is not None
    assert opened.hex() == key


def test_another_master_key_unwraps_nothing() -> None:
    assert unwrap(bytes(32), wrap(bytes(range(32)), new_store_key())) is None


def test_a_wrapped_key_that_was_changed_cut_or_extended_is_not_unwrapped() -> None:
    master, wrapped = new_store_key(), wrap(bytes(32), new_store_key())
    wrapped = wrap(master, new_store_key())
    changed = [wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in range(len(wrapped))]
    for harmed in [*changed, wrapped[:-8], wrapped[:-1], wrapped + bytes(8), b""]:
        assert unwrap(master, harmed) is None


def test_a_purpose_gives_the_same_key_each_time_and_on_every_host() -> None:
    first, second = StoreKeyring(bytes(range(32))), StoreKeyring(bytes(range(32)))
    assert first.derive("a purpose") == second.derive("a purpose") == hkdf_sha256(bytes(range(32)), b"a purpose", 32)
    assert first.key_id == second.key_id == hkdf_sha256(bytes(range(32)), b"key id", 8).hex()


def test_keys_of_two_purposes_have_nothing_in_common() -> None:
    ring = StoreKeyring(new_store_key())
    keys = [ring.derive("one"), ring.derive("two"), ring.reveal(), bytes.fromhex(ring.key_id)]
    for one, other in itertools.combinations(keys, 2):
        assert one[:8] != other[:8]


@pytest.mark.parametrize("length", [0, -1, 65])
def test_a_length_that_is_not_promised_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        StoreKeyring(bytes(32)).derive("a purpose", length)


@pytest.mark.parametrize("length", [1, 16, 32, 33, 64])
def test_every_length_that_is_promised_is_given(length: int) -> None:
    assert len(StoreKeyring(bytes(32)).derive("a purpose", length)) == length


def test_former_keys_are_those_that_were_given_and_none_of_another_kind() -> None:
    ring = StoreKeyring(bytes(32), {"backy2_v1": [Secret("aa"), Secret("bb")]})
    assert ring.former_keys("backy2_v1") == (Secret("aa"), Secret("bb"))
    assert ring.former_keys("another") == ()


def test_a_keyring_never_shows_its_secrets() -> None:
    key = new_store_key()
    ring = StoreKeyring(key, {"backy2_v1": [Secret("ab" * 32)]})
    for text in (repr(ring), str(ring), f"{ring!r}", repr([ring])):
        assert key.hex() not in text
        assert repr(key)[2:-1] not in text
        assert "ab" * 8 not in text
    assert ring.key_id in repr(ring)


def test_a_store_key_of_a_wrong_length_is_refused_without_being_shown() -> None:
    key = b"\xab" * 31
    with pytest.raises(ValueError, match="has 32 bytes, not 31") as caught:
        StoreKeyring(key)
    assert "\\xab" not in "".join(traceback.format_exception(caught.value))
