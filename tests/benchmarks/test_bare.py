"""The bare loops do the work that they claim: what comes back is what was backed up, and damage is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from benchmarks import bare, bare_io
from benchmarks.bare_io import BareStore
from benchmarks.bare_seal import NoSealing, Sealing, ZstdAes
from benchmarks.image import Images, make_images

BLOCK = 4096
COUNT = 2000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Both states of a small image."""
    return make_images(tmp_path_factory.mktemp("image"), COUNT * BLOCK, BLOCK)


@pytest.fixture(params=[NoSealing, ZstdAes])
def seal(request: pytest.FixtureRequest) -> Sealing:
    """Each way to store a block."""
    made: Sealing = request.param()
    return made


@pytest.fixture
def store(tmp_path: Path, images: Images) -> BareStore:
    """A store that holds the first state, as it is."""
    store = BareStore(tmp_path / "store")
    bare.back_up(images.first, store, BLOCK)
    return store


def restored(store: BareStore, path: Path) -> bytes:
    bare.restore(store, path)
    return path.read_bytes()


def test_restore_gives_what_was_backed_up(store: BareStore, images: Images, tmp_path: Path) -> None:
    assert restored(store, tmp_path / "out") == images.first.read_bytes()


def test_restored_file_is_sparse(store: BareStore, tmp_path: Path) -> None:
    bare.restore(store, tmp_path / "out")
    assert (tmp_path / "out").stat().st_blocks * 512 < 0.75 * COUNT * BLOCK


def test_first_backup_reads_no_holes_and_stores_each_content_once(tmp_path: Path, images: Images) -> None:
    done = bare.back_up(images.first, BareStore(tmp_path / "store"), BLOCK)
    assert done.read_bytes == 0.70 * COUNT * BLOCK
    assert done.written_bytes == 0.55 * COUNT * BLOCK
    assert len(list((tmp_path / "store" / "blobs").rglob("*.blob"))) == 0.55 * COUNT


def test_no_temporary_name_is_left(store: BareStore, tmp_path: Path) -> None:
    assert list((tmp_path / "store" / "new").iterdir()) == []


def test_unchanged_image_writes_nothing(store: BareStore, images: Images) -> None:
    done = bare.back_up(images.first, store, BLOCK)
    assert (done.read_bytes, done.written_bytes) == (0.70 * COUNT * BLOCK, 0)


@pytest.mark.parametrize("hinted", [True, False])
def test_incremental_stores_what_changed(store: BareStore, images: Images, tmp_path: Path, hinted: bool) -> None:
    done = bare.back_up(images.second, store, BLOCK, images.hints if hinted else None)
    assert done.written_bytes == 0.01 * COUNT * BLOCK
    assert (done.read_bytes == done.written_bytes) is hinted
    assert restored(store, tmp_path / "out") == images.second.read_bytes()


def test_block_that_became_a_hole_is_restored_as_zeros(store: BareStore, images: Images, tmp_path: Path) -> None:
    image = tmp_path / "emptied"
    with image.open("wb") as file:
        file.truncate(COUNT * BLOCK)
    bare.back_up(image, store, BLOCK)
    assert restored(store, tmp_path / "out") == bytes(COUNT * BLOCK)


def test_zeros_on_disk_are_not_stored(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(100 * BLOCK))
    done = bare.back_up(tmp_path / "zeros", BareStore(tmp_path / "store"), BLOCK)
    assert (done.read_bytes, done.written_bytes) == (100 * BLOCK, 0)


def test_image_that_ends_inside_a_block_comes_back_whole(tmp_path: Path, images: Images) -> None:
    data = images.first.read_bytes()[: 50 * BLOCK] + b"tail"
    (tmp_path / "image").write_bytes(data)
    store = BareStore(tmp_path / "store")
    bare.back_up(tmp_path / "image", store, BLOCK)
    assert restored(store, tmp_path / "out") == data


def test_each_way_to_store_blocks_gives_back_what_was_backed_up(tmp_path: Path, images: Images, seal: Sealing) -> None:
    store = BareStore(tmp_path / "store")
    bare.back_up(images.first, store, BLOCK, sealing=seal)
    bare.scrub(store, seal)
    bare.restore(store, tmp_path / "out", seal)
    assert (tmp_path / "out").read_bytes() == images.first.read_bytes()


def test_sealed_blobs_are_compressed_where_it_pays_and_hold_nothing_clear(tmp_path: Path, images: Images) -> None:
    store = BareStore(tmp_path / "store")
    bare.back_up(images.first, store, BLOCK, sealing=ZstdAes())
    blobs = [path.read_bytes() for path in (tmp_path / "store" / "blobs").rglob("*.blob")]
    assert sorted({len(blob) > BLOCK // 2 for blob in blobs}) == [False, True]
    assert max(map(len, blobs)) == BLOCK + 29
    image = images.first.read_bytes()
    assert not any(blob[40:72] in image for blob in blobs[:20])


def test_changed_sealed_blob_is_found(tmp_path: Path, images: Images) -> None:
    store = BareStore(tmp_path / "store")
    bare.back_up(images.first, store, BLOCK, sealing=ZstdAes())
    path = Path(store.path(7))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InvalidTag):
        bare.scrub(store, ZstdAes())


@pytest.mark.parametrize("loop", ["scrub", "restore"])
def test_damaged_blob_is_found(store: BareStore, tmp_path: Path, loop: str) -> None:
    blob = Path(store.path(7))
    blob.write_bytes(bytes(BLOCK))
    with pytest.raises(OSError, match="blob 7 is damaged"):
        bare.scrub(store) if loop == "scrub" else bare.restore(store, tmp_path / "out")


def test_blobs_are_synced_before_and_after_they_are_named(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(bare, "BATCH_BYTES", 200 * BLOCK)
    monkeypatch.setattr(bare, "THREADS", 1)
    monkeypatch.setattr(bare_io, "sync_file_system", noting(steps, "s", bare_io.sync_file_system))
    monkeypatch.setattr(os, "rename", noting(steps, "r", os.rename))
    bare.back_up(images.first, BareStore(tmp_path / "store"), BLOCK)
    full, last, index = f"s{'r' * 200}s", f"s{'r' * 100}s", "r"
    assert "".join(steps) == 5 * full + last + index


def noting(steps: list[str], letter: str, function: Callable[..., None]) -> Callable[..., None]:
    """The function itself, but it says when it is called."""

    def noted(*arguments: object) -> None:
        steps.append(letter)
        function(*arguments)

    return noted
