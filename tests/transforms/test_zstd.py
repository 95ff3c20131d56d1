"""``zstd`` keeps the contract, makes frames of the documented kind, and takes nothing for a frame that is none."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from backy2_core.api import BlobDamagedError, ConfigError, TransformError
from backy2_core.testing.transform import MakeTransform, TransformSuite
from backy2_plugins.transforms import zstd
from tests.transforms.chains import zstd_step

BLOCK = b"the same words again and again " * 100
SIZE = len(BLOCK)
FRAME = zstandard.ZstdCompressor(level=1).compress(BLOCK)


class TestZstd(TransformSuite):
    @pytest.fixture
    def make(self) -> MakeTransform:
        return zstd_step


def sealed_bytes(block, level=1):
    """What is stored of a block."""
    sealed = zstd_step(level=level).seal(memoryview(block))
    assert sealed.envelope == b""
    return bytes(sealed.data)


def opened(frame, size=SIZE):
    """The block in a frame, or an error."""
    return bytes(zstd_step({}).unseal(memoryview(frame), b"", size))


def mixed(length, noise_percent):
    """A block, of which so much is noise and the rest zeros."""
    noise = length * noise_percent // 100
    return random.Random(7).randbytes(noise) + bytes(length - noise)


@pytest.mark.parametrize("size", [4096, 65536, 4 << 20])
def test_a_block_is_sealed_only_if_its_frame_is_at_most_95_percent_of_it(size):
    assert zstd_step().seal(memoryview(mixed(size, 97))) is None
    assert zstd_step().seal(memoryview(mixed(size, 100))) is None
    sealed = zstd_step().seal(memoryview(mixed(size, 92)))
    assert 0.91 * size < len(sealed.data) < 0.95 * size


def test_the_rule_is_exact_at_its_edge():
    """Of random lengths of noise, each is decided by its own frame."""
    decided = set()
    for noise in range(3700, 3950, 5):
        block = random.Random(noise).randbytes(noise) + bytes(4096 - noise)
        worth = len(zstandard.ZstdCompressor(level=1).compress(block)) <= 0.95 * len(block)
        assert (zstd_step().seal(memoryview(block)) is not None) is worth
        decided.add(worth)
    assert decided == {True, False}


@pytest.mark.parametrize("level", [1, 3, 19])
def test_what_is_stored_is_one_frame_with_its_size_and_without_dictionary_or_checksum(level):
    frame = sealed_bytes(BLOCK, level)
    head = zstandard.get_frame_parameters(frame)
    assert (head.content_size, head.dict_id, head.has_checksum) == (len(BLOCK), 0, False)
    assert zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False) == BLOCK


def test_the_level_is_the_settings_and_nobody_needs_it_for_opening():
    words = [random.Random(n).randbytes(9) for n in range(300)]
    block = b"".join(random.Random(0).choices(words, k=10_000))
    frames = {level: sealed_bytes(block, level) for level in (1, 3, 19)}
    assert len(frames[19]) < len(frames[1])
    assert frames[3] == zstandard.ZstdCompressor(level=3).compress(block)
    for level, frame in frames.items():
        assert zstd_step(level=level).parameters == {}
        assert opened(frame, len(block)) == block


def test_the_default_is_level_1_and_others_are_refused():
    [level] = zstd.backy2_settings()
    assert (level.name, level.default, level.minimum) == ("level", 1, 1)
    with pytest.raises(ConfigError, match=r"\[transform:zstd\], key level: 20 is too high; the highest is 19"):
        zstd_step(level=20)


def test_parameters_that_it_does_not_know_are_refused():
    with pytest.raises(TransformError, match="sealed by zstd with dictionary"):
        zstd_step({"dictionary": 3})


def test_threads_that_seal_and_open_large_blocks_at_once_do_not_meet():
    words = [random.Random(n).randbytes(9) for n in range(200)]
    blocks = [b"".join(random.Random(seed).choices(words, k=100_000)) for seed in range(8)]
    shared, frames = zstd_step(), [sealed_bytes(block) for block in blocks]

    def right(number):
        block, frame = blocks[number % 8], frames[number % 8]
        sealed = shared.seal(memoryview(block))
        return bytes(sealed.data) == frame and bytes(shared.unseal(sealed.data, b"", len(block))) == block

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(96)))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x28\xb5",
        b"no frame at all",
        FRAME[:-1],
        FRAME[:20],
        FRAME + b"x",
        FRAME + FRAME,
        FRAME[:-8] + bytes(8),
        zstandard.ZstdCompressor(level=1).compress(b""),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip",
        zstandard.ZstdCompressor(level=1, write_content_size=False).compress(BLOCK),
    ],
    ids=[
        "empty",
        "two bytes",
        "text",
        "cut",
        "cut early",
        "more behind it",
        "two frames",
        "overwritten",
        "of nothing",
        "skippable",
        "no size",
    ],
)
def test_what_is_no_frame_of_a_block_is_proven_damage_and_spoils_nothing(frame):
    shared = zstd_step({})
    with pytest.raises(BlobDamagedError, match="zstandard frame"):
        shared.unseal(memoryview(frame), b"", len(BLOCK))
    assert bytes(shared.unseal(memoryview(FRAME), b"", len(BLOCK))) == BLOCK


def test_a_frame_that_holds_more_than_the_block_is_refused():
    assert opened(FRAME) == BLOCK
    with pytest.raises(BlobDamagedError, match=f"holds {len(BLOCK)} bytes, expected 1 to {len(BLOCK) - 1}"):
        opened(FRAME, len(BLOCK) - 1)


def test_a_frame_that_claims_to_hold_a_terabyte_is_refused_before_room_is_made_for_it():
    """Magic, a descriptor for eight bytes of content size in one segment, that size, one empty last block."""
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\x00\x00"
    assert zstandard.frame_content_size(bomb) == 1 << 40
    with pytest.raises(BlobDamagedError, match=f"holds {1 << 40} bytes, expected 1 to 4096"):
        opened(bomb, 4096)


def test_a_frame_that_holds_more_than_it_states_is_refused():
    """The size that a frame of 64 MiB of zeros states is replaced by that of a small block."""
    frame = bytearray(zstandard.ZstdCompressor(level=1).compress(bytes(64 << 20)))
    assert int.from_bytes(frame[6:10], "little") == 64 << 20
    frame[6:10] = len(BLOCK).to_bytes(4, "little")
    assert zstandard.frame_content_size(bytes(frame)) == len(BLOCK)
    with pytest.raises(BlobDamagedError, match="not one whole zstandard frame"):
        opened(frame)
