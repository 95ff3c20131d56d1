"""What the suite of backy2 does not ask: the layout, what killed writers left, host keys, and lost connections."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backy2_fsspec.backend import FsspecDataBackend
from backy2_fsspec.layout import TEMPORARY_FOLDER, temporary_name

from backy2_core.api import BlobExistsError, BlobUid, DataBackend, DataBackendError, StoredBlob

UID = BlobUid("0123456789abcdef0123456789abcdef")


def put(store: DataBackend, uid: str = UID, data: bytes = b"content") -> None:
    store.put(BlobUid(uid), memoryview(data))
    store.flush()


def test_a_blob_lies_where_the_data_backend_file_has_it(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store") as store:
        put(store)
        store.write_document("jobs/1", b"x")
    assert (tmp_path / "store/01/23" / f"{UID}.blob").read_bytes() == b"content"
    assert (tmp_path / "store/backy2/jobs/1").read_bytes() == b"x"


def test_what_is_no_blob_is_not_listed(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store") as store:
        put(store)
        for name in ("01/23/other.txt", f"01/23/{UID[::-1]}.blob", "01/readme", "x"):
            (tmp_path / "store" / name).write_bytes(b"")
        (tmp_path / "store/01/23" / f"{'0123' + 'f' * 28}.blob").mkdir()
        assert list(store.list_blobs()) == [StoredBlob(UID, 7)]


@pytest.mark.parametrize("uid", ["../../../../etc/passwd", "a", "ab/cd", ""])
def test_a_uid_that_would_lead_elsewhere_is_refused(tmp_path: Path, uid: str) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store") as store, pytest.raises(DataBackendError, match="uid"):
        store.delete([BlobUid(uid)])


@pytest.mark.parametrize("name", ["../x", "a//b", "A", ""])
def test_a_document_that_would_lie_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store") as store, pytest.raises(DataBackendError, match="name"):
        store.write_document(name, b"")


def test_the_folder_above_the_store_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataBackendError, match="folder above the store's does not exist"):
        FsspecDataBackend(f"file://{tmp_path}/mount/store")
    assert not (tmp_path / "mount").exists()


def test_the_store_is_for_its_owner_only(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store"):
        assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


def test_temporary_files_go_after_a_day_and_those_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "store" / TEMPORARY_FOLDER
    folder.mkdir(parents=True)
    old, young = temporary_name(time.time() - 90_000, "0" * 16), temporary_name(time.time() - 80_000, "0" * 16)
    for name in (old, young, "host-123-abcd"):
        (folder / name).write_bytes(b"left")
    with FsspecDataBackend(f"file://{tmp_path}/store") as store:
        list(store.list_blobs())
        assert (folder / old).exists(), "who only reads leaves all as it is"
        put(store)
    assert sorted(os.listdir(folder)) == sorted([young, "host-123-abcd"])


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store") as store:
        put(store)
        with pytest.raises(BlobExistsError):
            put(store)
        assert os.listdir(tmp_path / "store" / TEMPORARY_FOLDER) == []


def test_more_threads_than_connections_wait_for_each_other(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store", threads=1) as store:
        put(store)
        listing = store.list_blobs()
        next(listing)  # a listing that was begun holds no connection
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: store.stored_size(UID), range(50))) == [7] * 50


def test_a_filesystem_that_does_not_replace_is_refused_for_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, old: str, new: str) -> None:
        if os.path.exists(new):
            raise FileExistsError(17, "File exists", new)
        os.rename(old, new)

    monkeypatch.setattr("backy2_fsspec.dialects.LOCAL", frozenset())
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.mv", refuse)
    with FsspecDataBackend(f"file://{tmp_path}/store") as store:
        store.write_document("a", b"1")
        with pytest.raises(DataBackendError, match="does not replace"):
            store.write_document("a", b"2")
        assert store.read_document("a") == b"1"


def test_a_filesystem_that_is_known_is_written_to_in_its_own_way_whatever_is_set(tmp_path: Path) -> None:
    with FsspecDataBackend(f"file://{tmp_path}/store", writing="whole") as store:
        put(store)
        assert (tmp_path / "store" / TEMPORARY_FOLDER).exists()


@pytest.mark.xdist_group("backy2-fsspec")
class TestSftp:
    def test_a_server_that_is_not_known_is_refused(self, ssh_server, tmp_path: Path) -> None:
        options = {**ssh_server.options, "known_hosts": str(tmp_path / "none")}
        with pytest.raises(DataBackendError, match=r"does not stand in .*none") as raised:
            FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), options)
        assert not raised.value.retryable

    def test_a_server_with_another_key_than_the_known_one_is_refused(self, ssh_server, tmp_path: Path) -> None:
        other = (ssh_server.folder / "user_key.pub").read_text().split()[:2]
        (tmp_path / "known").write_text(f"[127.0.0.1]:{ssh_server.port} {' '.join(other)}\n")
        options = {**ssh_server.options, "known_hosts": str(tmp_path / "known")}
        with pytest.raises(DataBackendError, match="does not stand in"):
            FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), options)

    def test_a_policy_of_the_users_own_replaces_the_check(self, ssh_server, tmp_path: Path) -> None:
        options = {**ssh_server.options, "host_key_policy": "auto_add", "known_hosts": str(tmp_path / "none")}
        with FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), options) as store:
            put(store)

    def test_a_login_that_is_refused_is_final(self, ssh_server, tmp_path: Path) -> None:
        options = {**ssh_server.options, "key_filename": str(ssh_server.folder / "host_key")}
        with pytest.raises(DataBackendError, match=r"[Aa]uthentication") as raised:
            FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), options)
        assert not raised.value.retryable

    def test_a_server_that_does_not_run_may_run_later(self, tmp_path: Path) -> None:
        pytest.importorskip("paramiko", reason="paramiko is missing; install it with: pip install paramiko")
        with pytest.raises(DataBackendError) as raised:
            FsspecDataBackend("sftp://nobody@127.0.0.1:1/store")
        assert raised.value.retryable

    def test_a_local_store_can_be_read_and_continued_through_the_server(self, ssh_server, tmp_path: Path) -> None:
        with FsspecDataBackend(f"file://{tmp_path}/store") as here:
            put(here)
        with FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), ssh_server.options) as there:
            assert list(there.list_blobs()) == [StoredBlob(UID, 7)]
            with pytest.raises(BlobExistsError):
                put(there)
            put(there, UID[::-1])
        with FsspecDataBackend(f"file://{tmp_path}/store") as here:
            assert {blob.uid for blob in here.list_blobs()} == {UID, UID[::-1]}

    def test_a_write_that_the_server_refuses_late_is_not_lost_among_those_on_their_way(self, ssh_server) -> None:
        if not os.path.exists("/dev/full") or os.getuid() != 0:
            pytest.skip("needs root, to put a device that is full in the place of a file")
        with FsspecDataBackend(ssh_server.url("/dev/shm/backy2-fsspec-test"), ssh_server.options) as store:
            try:
                dialect, full = store._dialect, "/dev/full"
                with store._connections.use("try") as fs, pytest.raises(OSError, match="Failure"):
                    dialect.write_new(fs, full, memoryview(bytes(5_000_000)))
            finally:
                os.rmdir("/dev/shm/backy2-fsspec-test")
