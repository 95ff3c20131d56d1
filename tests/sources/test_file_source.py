"""The source ``file``: holes, devices, the page cache, and errors that say what to do."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_plugins.sources import file as plugin
from backy2_plugins.sources.file import FileSource

MIB = 1024 * 1024


def _open(path: Path | str) -> FileSource:
    return FileSource(f"file://{path}")


def _read(source: FileSource, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    source.read_into(offset, memoryview(buffer))
    return bytes(buffer)


def _on_disk(path: Path, size: int) -> bytes:
    """A file of random bytes, written out and in nobody's cache."""
    content = random.Random(size).randbytes(size)
    path.write_bytes(content)
    _drop_cache(path)
    return content


def _drop_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_a_relative_path_and_odd_characters_are_taken_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a%20b?c#d").write_bytes(b"x" * 10)
    with plugin.backy2_open_source("file://a%20b?c#d", {"simultaneous_reads": 5}) as source:
        assert (source.size_bytes, source.threads) == (10, 5)


def test_holes_are_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
        for place in (0, 10, 40):
            os.pwrite(file.fileno(), b"x" * MIB, place * MIB)
    with _open(path) as source:
        assert list(source.allocated()) == [Extent(place * MIB, MIB) for place in (0, 10, 40)]


def test_a_file_of_nothing_but_a_hole_has_nothing_allocated(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        file.truncate(1 << 40)
    with _open(tmp_path / "image") as source:
        assert source.size_bytes == 1 << 40
        assert list(source.allocated()) == []
        assert _read(source, (1 << 40) - MIB, MIB) == bytes(MIB)


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    with _open(tmp_path / "image") as source:
        assert (source.size_bytes, list(source.allocated())) == (0, [])


def test_reading_a_file_of_many_blocks_leaves_the_page_cache_empty(
    tmp_path: Path, cached_bytes: Callable[[Path], int]
) -> None:
    path = tmp_path / "image"
    content = _on_disk(path, 16 * MIB)
    assert cached_bytes(path) == 0
    with _open(path) as source:
        for offset in range(0, 16 * MIB, MIB):
            assert _read(source, offset, MIB) == content[offset : offset + MIB]
    assert cached_bytes(path) == 0


def test_reading_in_pieces_that_fit_no_page_leaves_the_page_cache_empty(
    tmp_path: Path, cached_bytes: Callable[[Path], int]
) -> None:
    path, piece = tmp_path / "image", 300_001
    content = _on_disk(path, 4 * MIB)
    with _open(path) as source:
        for offset in range(0, 4 * MIB, piece):
            length = min(piece, 4 * MIB - offset)
            assert _read(source, offset, length) == content[offset : offset + length]
    assert cached_bytes(path) == 0


def test_what_others_have_cached_stays_cached(tmp_path: Path, cached_bytes: Callable[[Path], int]) -> None:
    path = tmp_path / "image"
    content = _on_disk(path, 8 * MIB)
    with path.open("rb", buffering=0) as other:
        os.posix_fadvise(other.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        other.read(4 * MIB)
        assert cached_bytes(path) == 4 * MIB
        with _open(path) as source:
            for offset in range(0, 8 * MIB, MIB):
                assert _read(source, offset, MIB) == content[offset : offset + MIB]
        assert cached_bytes(path) == 4 * MIB


def test_a_block_device_is_read_and_has_no_identity(tmp_path: Path, loop_device: Callable[[Path], str]) -> None:
    content = _on_disk(tmp_path / "disk", 8 * MIB)
    with _open(loop_device(tmp_path / "disk")) as source:
        assert (source.size_bytes, source.identity) == (8 * MIB, "")
        assert list(source.allocated()) == [Extent(0, 8 * MIB)]
        assert _read(source, 0, 8 * MIB) == content
        assert _read(source, 8 * MIB - 513, 513) == content[-513:]
        with pytest.raises(SourceError, match="ended at byte"):
            _read(source, 8 * MIB - 1, 2)


def test_a_symbolic_link_leads_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"content")
    (tmp_path / "link").symlink_to("image")
    with _open(tmp_path / "link") as source:
        assert _read(source, 0, 7) == b"content"


def test_the_identity_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"one")
    seen = set()
    for change in (lambda: None, lambda: path.write_bytes(b"four"), lambda: os.utime(path, ns=(5, 5))):
        change()
        with _open(path) as source:
            seen.add(source.identity)
    replaced = tmp_path / "other"
    replaced.write_bytes(b"four")
    os.utime(replaced, ns=(5, 5))
    replaced.rename(path)
    with _open(path) as source:
        seen.add(source.identity)
    assert len(seen) == 4


def test_the_identity_changes_when_the_time_of_change_was_set_back(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"one")
    os.utime(path, ns=(5, 5))
    with _open(path) as source:
        before = source.identity
    path.write_bytes(b"two")
    os.utime(path, ns=(5, 5))
    with _open(path) as source:
        assert source.identity != before


def test_a_file_that_shrank_is_an_error_and_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"x" * 2 * MIB)
    with _open(path) as source:
        os.truncate(path, MIB + 5)
        with pytest.raises(SourceError, match=f"ended at byte {MIB + 5}; expected {2 * MIB}.*snapshot"):
            _read(source, MIB, MIB)


def test_a_file_that_shrank_has_no_hole_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"x" * 2 * MIB)
    with _open(path) as source:
        os.truncate(path, MIB)
        with pytest.raises(SourceError, match="ended at byte"):
            list(source.allocated())


def test_a_file_that_grew_keeps_the_size_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"x" * MIB)
    with _open(path) as source:
        with path.open("ab") as file:
            file.write(b"y" * MIB)
        assert source.size_bytes == MIB
        assert list(source.allocated()) == [Extent(0, MIB)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file.*check the path"),
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "it is neither file nor block device"),
    ],
    ids=["missing", "folder", "pipe"],
)
def test_what_cannot_be_backed_up_is_named(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "image")
    with pytest.raises(SourceError, match=f"file://{tmp_path}/image: {message}"):
        _open(tmp_path / "image")


def test_a_character_device_cannot_be_backed_up() -> None:
    with pytest.raises(SourceError, match="neither file nor block device"):
        _open("/dev/zero")


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    if not os.geteuid():
        pytest.skip("root may read everything")
    (tmp_path / "image").touch(mode=0)
    with pytest.raises(SourceError, match=r"Permission denied.*check the permissions"):
        _open(tmp_path / "image")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (tmp_path / "image").write_bytes(b"x")
    _open(tmp_path / "image").close()
    with pytest.raises(SourceError):
        _open(tmp_path)
    assert os.listdir("/proc/self/fd") == before
