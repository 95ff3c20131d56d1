"""Where the data backend ``file`` keeps what: the original's layout, beside which nothing is mistaken for a blob."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from backy2_core.errors import BlobDamagedError, BlobNotFoundError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import listed, new_uid, put, put_new, read
from backy2_plugins.data_backends.file import FileDataBackend

UID = BlobUid("7b6e36cdd0fZMVRvLbaJK9tyXkQeM4nH")


def _files(path: Path) -> set[str]:
    return {str(found.relative_to(path)) for found in path.rglob("*") if found.is_file()}


def test_a_blob_is_a_file_two_folders_deep(store: FileDataBackend, tmp_path: Path) -> None:
    put(store, UID, b"content")
    store.flush()
    assert _files(tmp_path / "store") == {f"7b/6e/{UID}.blob"}
    assert (tmp_path / "store" / "7b" / "6e" / f"{UID}.blob").read_bytes() == b"content"


def test_blobs_of_the_original_are_read(tmp_path: Path, open_file_store: Callable[[], FileDataBackend]) -> None:
    folder = tmp_path / "store" / "7b" / "6e"
    folder.mkdir(parents=True)
    (folder / f"{UID}.blob").write_bytes(b"old content")
    with open_file_store() as store:
        assert read(store, UID) == b"old content"
        assert listed(store) == {UID: 11}


def test_a_blob_and_its_folders_are_for_the_owner_only(store: FileDataBackend, tmp_path: Path) -> None:
    put(store, UID, b"content")
    store.flush()
    path = tmp_path / "store"
    modes = {found: stat.S_IMODE(found.stat().st_mode) for found in (path, *path.rglob("*"))}
    assert all(mode == (0o600 if found.is_file() else 0o700) for found, mode in modes.items())


def test_documents_stand_in_a_folder_of_their_own(store: FileDataBackend, tmp_path: Path) -> None:
    store.write_document("versions/1.json", b"{}")
    assert _files(tmp_path / "store") == {"backy2/versions/1.json"}


def test_nothing_but_blobs_in_their_places_is_listed(store: FileDataBackend, tmp_path: Path) -> None:
    put(store, UID, b"content")
    store.flush()
    path = tmp_path / "store"
    (path / "ff" / "ff").mkdir(parents=True)
    for name in (
        "README",
        "7b/notes.blob",
        f"7b/6e/{UID}.blob.tmp",
        f"ff/ff/{UID}.blob",
        "ff/ff/ffff.txt",
        "ff/ff/.blob",
    ):
        (path / name).write_bytes(b"")
    (path / "ff" / "ff" / "ffff1.blob").symlink_to(path / "README")
    (path / "ff" / "ff" / "ffff2.blob").mkdir()
    store.write_document("a.blob", b"")
    assert listed(store) == {UID: 7}


@pytest.mark.parametrize("uid", ["", "abc", "../../etc/passwd", "ab/cd", "abcd.blob", "abcd\0", "abcdé", "a" * 300])
def test_a_uid_that_is_none_reaches_no_file(store: FileDataBackend, uid: str) -> None:
    for call in (
        lambda: put(store, BlobUid(uid), b""),
        lambda: read(store, BlobUid(uid)),
        lambda: store.stored_size(BlobUid(uid)),
        lambda: store.delete([BlobUid(uid)]),
    ):
        with pytest.raises(DataBackendError, match="cannot be the uid of a blob"):
            call()


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/..", ".", "A", "a b", "a\0"])
def test_a_name_that_is_none_reaches_no_file(store: FileDataBackend, name: str) -> None:
    for call in (
        lambda: store.write_document(name, b""),
        lambda: store.create_document(name, b""),
        lambda: store.read_document(name),
        lambda: store.delete_document(name),
    ):
        with pytest.raises(DataBackendError, match="cannot be the name of a document"):
            call()


def test_a_symbolic_link_in_the_place_of_a_blob_is_not_followed(store: FileDataBackend, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = tmp_path / "store" / "7b" / "6e"
    folder.mkdir(parents=True)
    (folder / f"{UID}.blob").symlink_to(tmp_path / "secret")
    with pytest.raises(DataBackendError, match="symbolic links"):
        read(store, UID)


def test_a_folder_in_the_place_of_a_blob_is_an_error(store: FileDataBackend, tmp_path: Path) -> None:
    (tmp_path / "store" / "7b" / "6e" / f"{UID}.blob").mkdir(parents=True)
    with pytest.raises(DataBackendError, match="directory"):
        read(store, UID)


def test_a_blob_that_was_lengthened_is_damaged(store: FileDataBackend, tmp_path: Path) -> None:
    put(store, UID, b"content")
    store.flush()
    with (tmp_path / "store" / "7b" / "6e" / f"{UID}.blob").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BlobDamagedError, match=f"{UID}.blob has 11 bytes; expected at most 7"):
        read(store, UID, 7)


def test_the_folder_is_made_if_its_parent_exists(tmp_path: Path) -> None:
    FileDataBackend(str(tmp_path / "new")).close()
    assert (tmp_path / "new").is_dir()
    with pytest.raises(DataBackendError, match=f"{tmp_path}/no/new: its parent folder does not exist"):
        FileDataBackend(str(tmp_path / "no" / "new"))


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataBackendError, match=f"{tmp_path}/file: it is not a folder"):
        FileDataBackend(str(tmp_path / "file"))


def test_reading_leaves_no_trace_in_a_store(store: FileDataBackend, tmp_path: Path) -> None:
    with pytest.raises(BlobNotFoundError):
        read(store, new_uid())
    assert store.read_document("a") is None
    assert listed(store) == {}
    assert list(store.list_documents("")) == []
    assert os.listdir(tmp_path / "store") == []


def test_a_store_that_is_gone_has_no_missing_blobs(store: FileDataBackend, tmp_path: Path) -> None:
    uid = put_new(store)
    store.flush()
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    for replaced in (False, True):
        if replaced:
            (tmp_path / "store").mkdir()
        for call in (
            lambda: read(store, new_uid()),
            lambda: store.stored_size(new_uid()),
            lambda: store.delete([new_uid()]),
            lambda: listed(store),
            lambda: store.read_document("missing"),
        ):
            with pytest.raises(DataBackendError, match="replaced while in use" if replaced else "is gone") as caught:
                call()
            assert not isinstance(caught.value, BlobNotFoundError)
    assert read(store, uid), "what is there can still be read"


def test_reading_a_blob_leaves_the_page_cache_as_it_was(
    store: FileDataBackend, tmp_path: Path, cached_bytes: Callable[[Path], int]
) -> None:
    put(store, UID, b"x" * (4 << 20))
    store.flush()
    path = tmp_path / "store" / "7b" / "6e" / f"{UID}.blob"
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert cached_bytes(path) == 0
        read(store, UID, 4 << 20)
        assert cached_bytes(path) == 0
        file.read()
        read(store, UID, 4 << 20)
        assert cached_bytes(path) == 4 << 20


def test_no_descriptor_is_left_open(open_file_store: Callable[[], FileDataBackend], tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with open_file_store() as store:
        uid = put_new(store)
        store.flush()
        store.write_document("a/b", b"")
        read(store, uid)
        for _ in (store.list_blobs(), store.list_documents("")):
            break
        with pytest.raises(BlobDamagedError):
            read(store, uid, 1)
    assert os.listdir("/proc/self/fd") == before
