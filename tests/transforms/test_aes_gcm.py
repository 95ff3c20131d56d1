"""``aes_gcm`` keeps the contract, seals as documented, never twice under one key, and notices every change."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from backy2_core.api import BlobDamagedError, KeyringError, TransformError
from backy2_core.testing.transform import MakeTransform, TransformSuite
from backy2_plugins.transforms.aes_gcm.blobs import BlobKey
from tests.transforms.chains import OTHER_RING, RING, aes_gcm_step

BLOCK = b"the same words again and again " * 4
SIZE = len(BLOCK)
RECORDED = {"format": 1, "key": RING.key_id}
LONG = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
SEALED_LONG = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
LONG_KEY = "feffe9928665731c6d6a8f9467308308" * 2
LONG_NONCE = "cafebabefacedbaddecaf888"


class TestAesGcm(TransformSuite):
    detects_damage = True

    @pytest.fixture
    def make(self) -> MakeTransform:
        return aes_gcm_step

    @pytest.fixture
    def make_with_another_key(self) -> MakeTransform:
        return lambda parameters: aes_gcm_step(parameters, OTHER_RING)


def sealed_bytes(block=BLOCK, **more):
    """What is stored of a block."""
    sealed = aes_gcm_step(**more).seal(memoryview(block))
    assert sealed.envelope == b""
    return bytes(sealed.data)


def opened(blob, size=SIZE, **more):
    """The block in a blob, or an error."""
    return bytes(aes_gcm_step(RECORDED, **more).unseal(memoryview(blob), b"", size))


@pytest.mark.parametrize(
    ("key", "nonce", "clear", "context", "sealed", "tag"),
    [
        ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            "00" * 32,
            "00" * 12,
            "00" * 16,
            "",
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (LONG_KEY, LONG_NONCE, LONG, "", SEALED_LONG, "b094dac5d93471bdec1a502270e3cc6c"),
        (
            LONG_KEY,
            LONG_NONCE,
            LONG[:120],
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            SEALED_LONG[:120],
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ],
    ids=["test case 13", "test case 14", "test case 15", "test case 16"],
)
def test_the_cipher_gives_the_results_that_the_specification_of_gcm_states(key, nonce, clear, context, sealed, tag):
    key, nonce, clear, context, wanted = map(bytes.fromhex, (key, nonce, clear, context, sealed + tag))
    made = bytearray(len(wanted))
    AESGCM(key).encrypt_into(nonce, clear, context, made)
    assert made == wanted
    again = bytearray(len(clear))
    AESGCM(key).decrypt_into(nonce, wanted, context, again)
    assert again == clear


@pytest.mark.parametrize(
    ("key", "salt", "expected"),
    [
        (
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            bytes(range(0xB0, 0x100)).hex(),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        ),
        (
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        ),
    ],
    ids=["A.1", "A.2", "A.3"],
)
def test_the_key_of_a_blob_is_what_rfc_5869_expands(key, salt, expected):
    """Its vectors, from the key that was extracted, as far as 32 bytes of their output."""
    assert BlobKey(bytes.fromhex(key)).own_key(bytes.fromhex(salt)).hex() == expected


def test_a_blob_is_sealed_as_documented():
    """Opened here by other functions of the library, and by hand."""
    blob = sealed_bytes()
    salt, body, tag = blob[:24], blob[24:-16], blob[-16:]
    blob_key = HKDF(SHA256(), 32, None, b"aes_gcm blob").derive(bytes(range(32)))
    own = HKDFExpand(SHA256(), 32, salt).derive(blob_key)
    decryptor = Cipher(algorithms.AES256(own), modes.GCM(bytes(12), tag)).decryptor()
    decryptor.authenticate_additional_data(f"backy2 aes_gcm 1 {RING.key_id}".encode())
    assert decryptor.update(body) + decryptor.finalize() == BLOCK


def test_what_one_release_sealed_every_later_one_opens():
    blob = bytes.fromhex(
        "62eb7e1cdfd0b1906bd2fc93f2efa7e71e30480dc182edf4f63b154f41821090e86bf09c5cad02710d393c28f2456a83"
        "b87f8a240ed0d9167af44660aa19428453db6d65cf8e13ac488bb2f9b05de6853f34cf1ca76011c2471bd993ea4551d1"
        "df757c02fa99e058dc39cee63dcbebda1338e9e49c33d40d147180c68d66699b8e995be74d50ff1a3f717e49b89f5324"
        "be8bc5f308b26ae536b2251dda1edd7bda054dcc"
    )
    assert opened(blob) == BLOCK


def test_what_is_recorded_is_the_format_and_the_id_of_the_store_key():
    step = aes_gcm_step()
    assert (step.parameters, step.key) == (RECORDED, RING.key_id)


def test_each_blob_has_a_salt_of_its_own_and_so_a_key_of_its_own():
    step = aes_gcm_step()
    with ThreadPoolExecutor(4) as pool:
        blobs = [bytes(sealed.data) for sealed in pool.map(step.seal, [memoryview(BLOCK)] * 5000)]
    for part in (slice(0, 24), slice(24, 40), slice(-16, None)):
        assert len({blob[part] for blob in blobs}) == len(blobs)
    assert {len(blob) for blob in blobs} == {24 + len(BLOCK) + 16}


def test_another_store_gives_another_key_for_the_same_salt():
    keys = [BlobKey(ring.derive("aes_gcm blob")).own_key(bytes(24)) for ring in (RING, OTHER_RING)]
    assert keys[0] != keys[1]


def test_every_changed_bit_is_proven_damage():
    blob = sealed_bytes()
    for position in range(len(blob)):
        for bit in range(8):
            changed = bytearray(blob)
            changed[position] ^= 1 << bit
            with pytest.raises(BlobDamagedError, match="tag is wrong under the right key"):
                opened(changed)


def test_a_blob_that_was_cut_at_any_place_or_extended_is_proven_damage():
    blob = sealed_bytes()
    for length in range(len(blob)):
        with pytest.raises(BlobDamagedError):
            opened(blob[:length])
    for longer in (blob + b"\0", b"\0" + blob, blob + blob):
        with pytest.raises(BlobDamagedError):
            opened(longer, 10 * len(BLOCK))


def test_parts_of_two_blobs_make_none():
    one, other = sealed_bytes(), sealed_bytes()
    for mixed in (one[:24] + other[24:], one[:-16] + other[-16:]):
        with pytest.raises(BlobDamagedError):
            opened(mixed)


def test_a_blob_of_another_store_that_was_put_in_place_is_proven_damage():
    with pytest.raises(BlobDamagedError, match="tag is wrong under the right key"):
        opened(sealed_bytes(ring=OTHER_RING))


@pytest.mark.parametrize("length", [0, 39], ids=["nothing", "39 bytes"])
def test_a_blob_without_room_for_salt_and_tag_is_damage_and_says_so(length):
    with pytest.raises(BlobDamagedError, match=f"has {length} bytes, expected 40 to"):
        opened(bytes(length))


def test_a_blob_that_is_longer_than_its_block_allows_is_refused_before_room_is_made_for_it():
    with pytest.raises(BlobDamagedError, match=r"has 140 bytes, expected 40 to 139"):
        opened(bytes(140), 99)


def test_another_store_key_is_told_by_both_ids_and_proves_nothing():
    with pytest.raises(KeyringError) as caught:
        opened(sealed_bytes(), ring=OTHER_RING)
    assert caught.value.exit_code == 21
    for text in (f"under store key {RING.key_id}", f"store key {OTHER_RING.key_id} is open", "proves nothing"):
        assert text in str(caught.value)


@pytest.mark.parametrize(("recorded", "said"), [(None, "the store has no keys"), (RECORDED, RING.key_id)])
def test_no_store_key_is_told_with_what_to_configure(recorded, said):
    with pytest.raises(KeyringError, match=r"\[key:ID\].*docs/encryption\.md") as caught:
        aes_gcm_step(recorded, ring=None)
    assert caught.value.exit_code == 21
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"format": 1},
        {"key": RING.key_id},
        {"format": 2, "key": RING.key_id},
        {"format": 1, "key": 5},
        {"format": 1, "key": RING.key_id, "nonce": "random"},
    ],
    ids=["nothing", "no key", "no format", "a later format", "a number as key", "something more"],
)
def test_a_record_that_is_not_of_this_format_is_refused_and_no_matter_of_keys(recorded):
    for ring in (RING, None):
        with pytest.raises(TransformError, match="later release") as caught:
            aes_gcm_step(recorded, ring=ring)
        assert caught.value.exit_code == 19


def test_threads_that_seal_and_open_large_blocks_at_once_do_not_meet():
    shared = aes_gcm_step()
    blocks = [random.Random(seed).randbytes(1_000_000) for seed in range(8)]

    def right(number):
        block = blocks[number % 8]
        sealed = shared.seal(memoryview(block))
        return bytes(shared.unseal(sealed.data, b"", len(block))) == block

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(160)))


def test_keys_are_not_shown_by_what_holds_them():
    step = aes_gcm_step()
    shown = repr(step) + str(step) + repr(vars(step))
    for key in (RING.reveal(), RING.derive("aes_gcm blob")):
        assert key.hex() not in shown
        assert repr(key)[2:-1] not in shown
