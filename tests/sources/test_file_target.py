"""The target ``file``: new files, files and devices that are there, space, and errors that say what to do."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import TargetError
from backy2_plugins.sources import file as plugin
from backy2_plugins.sources.file import FileTarget

MIB = 1024 * 1024
SIZE = 8 * MIB


def _open(path: Path | str, size: int = SIZE, *, force: bool = False, sparse: bool = False) -> FileTarget:
    return FileTarget(f"file://{path}", TargetRequest(size, force, sparse))


def _disk_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def _random(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.fixture
def small_filesystem(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 4 MiB."""
    if os.geteuid():
        pytest.skip("only root can mount a small filesystem")
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine allows no mount: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_new_file_is_for_its_owner_only_and_has_the_asked_size(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/new"
    request = TargetRequest(SIZE + 7, force=False, sparse=True)
    with plugin.backy2_open_target(url, {"simultaneous_writes": 3}, request) as target:
        assert target.threads == 3
    found = (tmp_path / "new").stat()
    assert (found.st_size, stat.S_IMODE(found.st_mode)) == (SIZE + 7, 0o600)


def test_zeros_of_a_sparse_new_file_take_no_space(tmp_path: Path) -> None:
    with _open(tmp_path / "new", sparse=True) as target:
        target.zero(0, SIZE)
        target.flush()
    assert _disk_bytes(tmp_path / "new") == 0


def test_zeros_of_a_full_new_file_have_their_space(tmp_path: Path) -> None:
    with _open(tmp_path / "new") as target:
        target.zero(0, SIZE)
        target.flush()
    assert _disk_bytes(tmp_path / "new") >= SIZE


def test_sparse_zeros_give_back_the_space_of_an_old_file(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(_random(SIZE))
    with _open(tmp_path / "old", force=True, sparse=True) as target:
        target.zero(MIB, 6 * MIB)
        target.flush()
    assert _disk_bytes(tmp_path / "old") <= 2 * MIB + 64 * 1024
    assert (tmp_path / "old").read_bytes() == _random(SIZE)[:MIB] + bytes(6 * MIB) + _random(SIZE)[-MIB:]


def test_full_zeros_keep_the_space_of_an_old_file(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(_random(SIZE))
    with _open(tmp_path / "old", force=True) as target:
        target.zero(0, SIZE)
        target.flush()
    assert _disk_bytes(tmp_path / "old") >= SIZE
    assert (tmp_path / "old").read_bytes() == bytes(SIZE)


def test_a_larger_old_file_keeps_its_size_and_its_end(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"o" * (SIZE + 100))
    with _open(tmp_path / "old", force=True) as target:
        target.write(0, memoryview(bytes(b"n" * SIZE)))
        target.flush()
    assert (tmp_path / "old").read_bytes() == b"n" * SIZE + b"o" * 100


def test_writing_leaves_the_page_cache_empty(tmp_path: Path, cached_bytes: Callable[[Path], int]) -> None:
    size, highest = 96 * MIB, 0
    piece = memoryview(_random(4 * MIB))
    with _open(tmp_path / "new", size) as target:
        for offset in range(0, size, 4 * MIB):
            target.write(offset, piece)
            highest = max(highest, cached_bytes(tmp_path / "new"))
        target.flush()
        assert highest <= 40 * MIB
        assert cached_bytes(tmp_path / "new") <= 64 * 1024


def test_a_block_device_is_restored(tmp_path: Path, loop_device: Callable[[Path], str]) -> None:
    (tmp_path / "disk").write_bytes(b"o" * 2 * SIZE)
    device = loop_device(tmp_path / "disk")
    for sparse in (False, True):
        content = bytearray(os.urandom(SIZE))
        with _open(device, force=True, sparse=sparse) as target:
            target.write(0, memoryview(content))
            for offset, length in ((MIB, MIB), (3 * MIB + 5, 1000), (4 * MIB + 512, 512), (SIZE - 100, 100)):
                target.zero(offset, length)
                content[offset : offset + length] = bytes(length)
            target.flush()
        assert (tmp_path / "disk").read_bytes() == content + b"o" * SIZE


def test_a_block_device_is_refused_without_force(tmp_path: Path, loop_device: Callable[[Path], str]) -> None:
    (tmp_path / "disk").write_bytes(b"o" * SIZE)
    with pytest.raises(TargetError, match=r"exists already.*--force"):
        _open(loop_device(tmp_path / "disk"))
    assert (tmp_path / "disk").read_bytes() == b"o" * SIZE


def test_a_block_device_that_is_mounted_is_refused(tmp_path: Path, loop_device: Callable[[Path], str]) -> None:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    (tmp_path / "disk").write_bytes(bytes(SIZE))
    device = loop_device(tmp_path / "disk")
    subprocess.run(["mkfs.ext4", "-q", device], check=True)
    (tmp_path / "mnt").mkdir()
    subprocess.run(["mount", device, str(tmp_path / "mnt")], check=True)
    try:
        with pytest.raises(TargetError, match="busy; it is mounted or used"):
            _open(device, force=True)
    finally:
        subprocess.run(["umount", str(tmp_path / "mnt")], check=True)


def test_a_folder_is_refused_even_with_force(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="it is a folder"):
        _open(tmp_path, force=True)


def test_a_character_device_is_refused() -> None:
    with pytest.raises(TargetError, match="neither file nor block device"):
        _open("/dev/null", force=True)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=f"file://{tmp_path}/no/new: No such file.*the folder must exist"):
        _open(tmp_path / "no" / "new")


def test_what_is_too_small_is_refused_with_both_sizes(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"o" * 100)
    with pytest.raises(TargetError, match="has 100 bytes, and 101 are needed; make it larger"):
        _open(tmp_path / "old", 101, force=True)
    assert (tmp_path / "old").read_bytes() == b"o" * 100


def test_a_read_only_folder_is_named(tmp_path: Path, small_filesystem: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_filesystem)], check=True)
    with pytest.raises(TargetError, match="Read-only file system; mount the filesystem writable"):
        _open(small_filesystem / "new")


def test_a_full_disk_is_named_with_what_to_do(small_filesystem: Path) -> None:
    piece = memoryview(bytes(MIB))
    with _open(small_filesystem / "new") as target:
        for offset in range(0, 4 * MIB, MIB):
            target.write(offset, piece)
        with pytest.raises(TargetError, match=r"at byte 4194304: No space left on device; make room there"):
            target.write(4 * MIB, piece)


def test_zeros_for_which_there_is_no_space_are_an_error_before_the_end(small_filesystem: Path) -> None:
    with (
        _open(small_filesystem / "new") as target,
        pytest.raises(TargetError, match=r"No space left on device.*--sparse"),
    ):
        target.zero(0, SIZE)


def test_a_sparse_restore_fits_a_disk_that_a_full_one_does_not(small_filesystem: Path) -> None:
    with _open(small_filesystem / "new", sparse=True) as target:
        target.zero(0, SIZE - MIB)
        target.write(SIZE - MIB, memoryview(bytes(b"x" * MIB)))
        target.flush()
    assert (small_filesystem / "new").stat().st_size == SIZE


def test_no_descriptor_is_left_open_by_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"o")
    before = os.listdir("/proc/self/fd")
    for force in (False, True):
        with pytest.raises(TargetError):
            _open(tmp_path / "old", force=force)
    assert os.listdir("/proc/self/fd") == before
