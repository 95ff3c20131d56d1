"""Blobs that the original encrypted are opened, and those that cannot be are told apart: another key, or damage."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from backy2_core.api import (
    BlobDamagedError,
    ConfigError,
    KeyringError,
    Secret,
    SettingType,
    TransformError,
    key_fingerprint,
)
from backy2_core.engine.keyring import StoreKeyring
from backy2_plugins.transforms import backy2_v1
from tests.transforms.originals import KEY, OTHER_KEY, encrypted_blobs, opener, seal

BLOCK = b"the same words again and again " * 100


def open_original(original, key=KEY, blob=None, **more):
    """The clear block, or an error."""
    data = original.blob if blob is None else blob
    return opener(key, **more).unseal(memoryview(data), original.envelope, original.size)


@pytest.fixture(scope="module")
def sample():
    """One of the original's encrypted blobs."""
    return encrypted_blobs("213-enc-bs4096")[0]


@pytest.mark.parametrize(("name", "count"), [("213-enc-bs4096", 146), ("213-mixed-bs65536", 23)])
def test_every_blob_that_the_original_encrypted_opens_to_the_block_of_its_row(name, count):
    originals = encrypted_blobs(name)
    assert len(originals) == count
    for original in originals:
        clear = open_original(original)
        assert len(clear) == original.size
        assert hashlib.sha512(clear).hexdigest() == original.sha512, original.uid


def test_many_threads_open_with_one_object():
    """Large blocks, so that the threads are in the libraries at the same time."""
    shared, words = opener(), [random.Random(n).randbytes(9) for n in range(200)]
    blocks = [b"".join(random.Random(seed).choices(words, k=100_000)) for seed in range(8)]
    sealed = [seal(zstandard.ZstdCompressor(level=1).compress(block)) for block in blocks]

    def right(number):
        each = sealed[number % 8]
        return bytes(shared.unseal(each.data, each.envelope, 900_000)) == blocks[number % 8]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(160)))


@pytest.mark.parametrize("position", [0, 15, 16, 31, 32, -1], ids=lambda at: f"byte {at}")
def test_a_changed_byte_of_tag_nonce_or_ciphertext_is_proven_damage(sample, position):
    changed = bytearray(sample.blob)
    changed[position] ^= 1
    with pytest.raises(BlobDamagedError, match="tag is wrong under the right key"):
        open_original(sample, blob=changed)


@pytest.mark.parametrize("length", [0, 1, 16, 31, 32, 33, -1], ids=lambda length: f"{length} bytes")
def test_a_cut_blob_is_proven_damage(sample, length):
    with pytest.raises(BlobDamagedError):
        open_original(sample, blob=sample.blob[:length])


def test_a_blob_of_another_block_is_proven_damage(sample):
    other = encrypted_blobs("213-enc-bs4096")[1]
    with pytest.raises(BlobDamagedError):
        open_original(sample, blob=other.blob)


@pytest.mark.parametrize("damaged", [False, True])
def test_another_key_proves_nothing_and_says_what_to_mend(sample, damaged):
    blob = b"not the blob at all" * 10 if damaged else sample.blob
    with pytest.raises(TransformError) as caught:
        open_original(sample, key=OTHER_KEY, blob=blob)
    message = str(caught.value)
    assert caught.value.exit_code == 21
    assert "[transform:backy2_v1], key encryption_key" in message
    assert "[DEFAULTS]" in message
    assert OTHER_KEY not in message


def test_messages_tell_keys_by_a_fingerprint_of_eight_digits(sample):
    messages = []
    for key in (OTHER_KEY, OTHER_KEY, "1" * 64):
        with pytest.raises(TransformError) as caught:
            open_original(sample, key=key)
        messages.append(str(caught.value).partition("fingerprints: ")[2][:9])
    assert messages[0] == messages[1] != messages[2]
    for fingerprint in messages:
        assert int(fingerprint[:8], 16)
        assert fingerprint[8] == ")"


@pytest.mark.parametrize("former", [KEY, f"{OTHER_KEY} {KEY}", f"{'1' * 64},\n\t{KEY.upper()}"])
def test_a_former_key_opens_what_was_wrapped_before_a_rekey(sample, former):
    for key in (OTHER_KEY, None):
        assert hashlib.sha512(open_original(sample, key=key, former=former)).hexdigest() == sample.sha512


@pytest.mark.parametrize(("key", "former"), [(None, None), ("", ""), (" ", None)])
def test_a_missing_key_is_told_with_section_and_key(key, former):
    with pytest.raises(TransformError, match=r"section \[transform:backy2_v1\], key encryption_key") as caught:
        opener(key, former)
    assert caught.value.exit_code == 21


def test_keys_that_the_store_keeps_open_too_and_are_named_where_they_do_not(sample):
    settings = {"encryption_key": None, "former_encryption_keys": None}
    ring = StoreKeyring(bytes(32), {"backy2_v1": [Secret(OTHER_KEY), Secret(KEY)], "another": [Secret("2" * 64)]})
    made = backy2_v1.backy2_make_transform(settings, {}, ring)
    assert bytes(made.unseal(memoryview(sample.blob), sample.envelope, 1 << 20)) == bytes(open_original(sample))
    wrong = StoreKeyring(bytes(32), {"backy2_v1": [Secret(OTHER_KEY)]})
    with pytest.raises(KeyringError, match=key_fingerprint(bytes.fromhex(OTHER_KEY))):
        backy2_v1.backy2_make_transform(settings, {}, wrong).unseal(memoryview(sample.blob), sample.envelope, 1 << 20)


@pytest.mark.parametrize("wrong", ["abc", "f" * 63, "f" * 65, "g" * 64, f"{'f' * 32} {'f' * 32}", f"0x{'f' * 62}"])
def test_what_is_no_key_is_refused_and_never_shown(wrong):
    with pytest.raises(ConfigError, match=r"key encryption_key .*64 hexadecimal digits") as current:
        opener(wrong)
    with pytest.raises(ConfigError, match=r"key former_encryption_keys: .*64 hexadecimal digits") as former:
        opener(KEY, f"{KEY} {wrong}")
    for caught in (current, former):
        assert wrong not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_keys_are_secrets_and_not_shown_by_what_holds_them():
    assert {setting.type for setting in backy2_v1.backy2_settings()} == {SettingType.SECRET}
    made = opener(KEY, OTHER_KEY)
    shown = repr(made) + str(made) + repr(vars(made))
    assert KEY not in shown
    assert OTHER_KEY not in shown
    assert repr(bytes.fromhex(KEY)) not in shown


@pytest.mark.parametrize("length", [0, 39, 41, 48], ids=lambda length: f"{length} bytes")
def test_an_envelope_of_a_wrong_length_proves_nothing_about_the_blob(sample, length):
    envelope = (sample.envelope + bytes(8))[:length]
    with pytest.raises(TransformError, match=f"has {length} bytes, expected 40"):
        opener().unseal(memoryview(sample.blob), envelope, sample.size)


def test_it_seals_nothing():
    with pytest.raises(ConfigError, match="only opens what the original stored"):
        backy2_v1.backy2_make_transform({"encryption_key": None, "former_encryption_keys": None}, None)
    with pytest.raises(TransformError, match="only opens what the original stored"):
        opener().seal(memoryview(BLOCK))


def test_parameters_that_it_does_not_know_are_refused():
    with pytest.raises(TransformError, match="sealed by backy2_v1 with level"):
        backy2_v1.backy2_make_transform({}, {"level": 3})


FRAME = zstandard.ZstdCompressor(level=1).compress(BLOCK)
UNSTATED = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(BLOCK)


@pytest.mark.parametrize("frame", [FRAME, UNSTATED], ids=["size stated", "size not stated"])
def test_a_frame_is_opened_up_to_the_size_of_the_block(frame):
    sealed = seal(frame)
    assert bytes(opener().unseal(sealed.data, sealed.envelope, len(BLOCK))) == BLOCK
    with pytest.raises(BlobDamagedError, match=f"at most {len(BLOCK) - 1}"):
        opener().unseal(sealed.data, sealed.envelope, len(BLOCK) - 1)


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x28\xb5", b"no frame at all", FRAME[:-1], FRAME[:20], FRAME + b"x", FRAME + FRAME, FRAME[:-8] + bytes(8)],
    ids=["empty", "two bytes", "text", "cut", "cut early", "more behind it", "two frames", "overwritten"],
)
def test_what_is_no_frame_under_a_right_tag_is_proven_damage_and_spoils_nothing(frame):
    sealed, good, shared = seal(frame), seal(FRAME), opener()
    with pytest.raises(BlobDamagedError, match="zstandard frame"):
        shared.unseal(sealed.data, sealed.envelope, len(BLOCK))
    assert bytes(shared.unseal(good.data, good.envelope, len(BLOCK))) == BLOCK


def test_a_frame_that_claims_to_hold_a_terabyte_is_refused_before_room_is_made_for_it():
    """Magic, a descriptor for eight bytes of content size in one segment, that size, one empty last block."""
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\x00\x00"
    assert zstandard.frame_content_size(bomb) == 1 << 40
    sealed = seal(bomb)
    with pytest.raises(BlobDamagedError, match=f"holds {1 << 40} bytes, expected at most 4096"):
        opener().unseal(sealed.data, sealed.envelope, 4096)


def test_a_frame_of_lz4_is_named_and_is_no_damage():
    sealed = seal(b"\x04\x22\x4d\x18" + random.Random(1).randbytes(100))
    with pytest.raises(TransformError, match="LZ4"):
        opener().unseal(sealed.data, sealed.envelope, 4096)


def test_the_buffer_it_was_given_is_free_afterwards(sample):
    buffer = bytearray(sample.blob)
    clear = open_original(sample, blob=buffer)
    buffer.extend(b"resizing fails while somebody holds a view")
    buffer[:] = bytes(len(buffer))
    assert hashlib.sha512(clear).hexdigest() == sample.sha512
