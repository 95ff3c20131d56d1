"""Blobs of the data backend ``file`` become durable first and visible then, or not at all; nothing is left behind."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backy2_core.errors import BlobExistsError, BlobNotFoundError, DataBackendError
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_core.testing.strace import Call
from backy2_plugins import linux
from backy2_plugins.data_backends.file import FileDataBackend, durability
from backy2_plugins.data_backends.file.staging import remove_abandoned
from tests.crash.strace_log import OPTIONS, read_log, renamed
from tests.data_backends.conftest import remount

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
WRITER = """
import sys
from backy2_plugins import linux
from backy2_plugins.data_backends.file import FileDataBackend, durability
store = FileDataBackend(sys.argv[1], flush_method=sys.argv[2])
for round in range(2):
    for number in range(6):
        store.put(f"{number:02x}00{'ab' * 13}{round}{number}", memoryview(b"content" * 100_000))
    store.flush()
store.write_document("versions/a.json", b"{}")
store.create_document("store.json", b"{}")
store.close()
"""


class WatchedLock:
    """A lock that tells how many have come to it, before they wait."""

    def __init__(self) -> None:
        self.wanted = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.wanted.release()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def _staged(path: Path) -> list[Path]:
    return sorted((path / ".backy2-tmp").glob("*"))


def _why_no_strace() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "strace is not permitted here" if tried.returncode else ""


def _trace(path: Path, flush_method: str) -> list[Call]:
    if why := _why_no_strace():
        pytest.skip(why)
    command = [
        "strace",
        *OPTIONS,
        "-o",
        str(path / "log"),
        sys.executable,
        "-c",
        WRITER,
        str(path / "store"),
        flush_method,
    ]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return [call for call in read_log(path / "log") if str(path / "store") in call.path + call.text]


def _syncs(calls: list[Call], *names: str) -> list[Call]:
    return [call for call in calls if call.name in names]


def test_syncfs_comes_between_writing_and_renaming_and_after(tmp_path: Path) -> None:
    calls = _trace(tmp_path, "syncfs")
    syncs = _syncs(calls, "syncfs")
    blobs = [call for call in calls if renamed(call) and renamed(call)[1].endswith(".blob")]
    assert (len(blobs), len(syncs)) == (12, 4)
    for blob in blobs:
        written = max(call.end for call in calls if call.name == "write" and call.path == renamed(blob)[0])
        assert any(written < sync.start and sync.end < blob.start for sync in syncs), f"{blob} was not synced before"
        assert any(blob.end < sync.start for sync in syncs), f"{blob} was not synced after"


def test_each_file_and_each_folder_is_synced_around_renaming(tmp_path: Path) -> None:
    calls = _trace(tmp_path, "fsync")
    store = tmp_path / "store"
    blobs = [call for call in calls if renamed(call) and renamed(call)[1].endswith(".blob")]
    assert len(blobs) == 12
    for blob in blobs:
        staged, path = renamed(blob)
        written = max(call.end for call in calls if call.name == "write" and call.path == staged)
        before = [call for call in _syncs(calls, "fdatasync") if call.path == staged]
        assert any(written < sync.start and sync.end < blob.start for sync in before), f"{blob} was not synced before"
        folder = Path(path).parent
        after = {call.path for call in _syncs(calls, "fsync") if call.start > blob.end}
        assert str(folder) in after
        names = {call.path for call in _syncs(calls, "fsync")}
        assert {str(folder.parent), str(store)} <= names, "a new folder is durable only with those above it"


@pytest.mark.parametrize("name", ["versions/a.json", "store.json"])
def test_a_document_is_synced_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, flush_method: str, name: str
) -> None:
    calls = _trace(tmp_path, flush_method)
    path = tmp_path / "store" / "backy2" / name
    (rename,) = [call for call in calls if renamed(call) and renamed(call)[1] == str(path)]
    assert any(call.path == renamed(rename)[0] and call.end < rename.start for call in _syncs(calls, "fsync"))
    assert any(call.path == str(path.parent) and call.start > rename.end for call in _syncs(calls, "fsync"))


def test_syncfs_is_only_used_where_it_can_be_relied_on(tmp_path: Path) -> None:
    for path, reliable in (("/proc", False), ("/sys", False), ("/dev/shm", True)):
        if os.path.ismount(path):
            fd = os.open(path, os.O_RDONLY)
            assert linux.syncfs_is_reliable(fd) == reliable, path
            os.close(fd)
    with FileDataBackend(str(tmp_path / "store")) as store, pytest.MonkeyPatch.context() as patch:
        assert isinstance(durability.choose(store._root, "fsync"), durability.FileByFile)
        patch.setattr(linux, "_SYNCFS_IS_DURABLE", set())
        assert isinstance(durability.choose(store._root, "syncfs"), durability.FileByFile)


def test_no_blob_has_its_name_before_the_flush(store: FileDataBackend, tmp_path: Path) -> None:
    put_new(store)
    assert list((tmp_path / "store").rglob("*.blob")) == []
    store.flush()
    assert len(list((tmp_path / "store").rglob("*.blob"))) == 1


def test_closing_drops_what_was_not_flushed(open_file_store: Callable[[], FileDataBackend], tmp_path: Path) -> None:
    with open_file_store() as store:
        put_new(store)
        assert len(_staged(tmp_path / "store")) == 1
    assert _staged(tmp_path / "store") == []
    with open_file_store() as store:
        assert listed(store) == {}


def test_a_killed_writer_leaves_no_partial_blob_and_the_next_opening_tidies_up(
    open_file_store: Callable[[], FileDataBackend], tmp_path: Path, flush_method: str
) -> None:
    code = WRITER.replace("range(2)", "range(10**6)").replace("{round}{number}", "{round * 16 + number:08x}")
    for delay_s in (0.0, 0.02, 0.05, 0.1, 0.2):
        path = tmp_path / "store"
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(path), flush_method], env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        while not _staged(path):
            assert writer.poll() is None
        time.sleep(delay_s)  # the point of the kill is what varies
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert len(_staged(path)) == 1
        with open_file_store() as store:
            assert _staged(path) == []
            assert set(listed(store).values()) <= {700_000}
            store.delete(list(listed(store)))


def test_opening_leaves_the_folder_of_a_living_writer(open_file_store: Callable[[], FileDataBackend]) -> None:
    with open_file_store() as writer:
        uid = put_new(writer)
        with open_file_store() as second:
            put_new(second)
        writer.flush()
        assert read(writer, uid) == content_of(uid, 1000)


def test_a_folder_taken_before_it_was_locked_is_not_used(store: FileDataBackend, tmp_path: Path) -> None:
    """Another process may find the folder between making and locking; here it finds every one, until told to stop."""
    taken: list[str] = []
    original = os.mkdir

    def make_and_lose(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        original(path, mode, dir_fd=dir_fd)
        if "-tmp/" in path and len(taken) < 5:
            taken.append(path)
            with FileDataBackend(str(tmp_path / "store")):
                assert not (tmp_path / "store" / path).exists()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "mkdir", make_and_lose)
        uid = put_new(store)
    assert len(taken) == 5
    store.flush()
    assert read(store, uid) == content_of(uid, 1000)


def test_the_folder_of_another_host_goes_only_after_a_day(store: FileDataBackend, tmp_path: Path) -> None:
    parent = tmp_path / "store" / ".backy2-tmp"
    for name in ("otherhost-1-aa", "otherhost-2-bb", f"{socket.gethostname()}-3-cc"):
        (parent / name).mkdir(parents=True)
        (parent / name / "left").touch()
    os.utime(parent / "otherhost-2-bb", (0, time.time() - 90_000))
    remove_abandoned(store._root)
    assert [path.name for path in _staged(tmp_path / "store")] == ["otherhost-1-aa"]


def test_a_locked_folder_stays_whatever_its_age(store: FileDataBackend, tmp_path: Path) -> None:
    path = tmp_path / "store" / ".backy2-tmp" / f"{socket.gethostname()}-1-aa"
    path.mkdir(parents=True)
    os.utime(path, (0, 0))
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    remove_abandoned(store._root)
    assert path.is_dir()
    os.close(fd)
    remove_abandoned(store._root)
    assert not path.exists()


def test_puts_go_on_while_a_flush_waits(store: FileDataBackend) -> None:
    """The flush is held where it waits for the disk; a put then comes and goes."""
    waiting, go_on = threading.Event(), threading.Event()
    durability = store._pending._durability
    original = durability.sync_contents

    def wait(folder: int, names: list[str]) -> None:
        waiting.set()
        assert go_on.wait(60)
        original(folder, names)

    before = put_new(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durability, "sync_contents", wait)
        flush = threading.Thread(target=store.flush)
        flush.start()
        assert waiting.wait(60)
        beside = put_new(store)
        assert read(store, beside) == content_of(beside, 1000)
        store.delete([before])
        go_on.set()
        flush.join()
    assert listed(store).keys() == {beside}
    store.flush()
    assert listed(store).keys() == {beside}


def test_a_flush_that_waited_for_a_failed_one_fails_too(store: FileDataBackend, tmp_path: Path) -> None:
    waiting, go_on, lock = threading.Event(), threading.Event(), WatchedLock()

    def fail(folder: int, names: list[str]) -> None:
        waiting.set()
        assert go_on.wait(60)
        raise OSError(5, "Input/output error")

    errors: list[Exception] = []

    def flush() -> None:
        try:
            store.flush()
        except DataBackendError as error:
            errors.append(error)

    uid = put_new(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._pending._durability, "sync_contents", fail)
        patch.setattr(store._pending, "_flushing", lock)
        flushes = [threading.Thread(target=flush)]
        flushes[0].start()
        assert waiting.wait(60)
        assert lock.wanted.acquire(timeout=60)
        flushes.append(threading.Thread(target=flush))
        flushes[1].start()
        assert lock.wanted.acquire(timeout=60)
        go_on.set()
        for thread in flushes:
            thread.join()
    assert len(errors) == 2
    assert not any(error.retryable for error in errors if isinstance(error, DataBackendError))
    assert str(tmp_path / "store") in str(errors[0])
    with pytest.raises(BlobNotFoundError):
        read(store, uid)
    later = put_new(store)
    store.flush()
    assert listed(store).keys() == {later}


def test_a_failed_flush_leaves_nothing_of_its_blobs(small_filesystem: Path, flush_method: str) -> None:
    with FileDataBackend(str(small_filesystem / "store"), flush_method=flush_method) as store:
        kept = put_new(store)
        store.flush()
        for _ in range(5):
            put_new(store)
        remount(small_filesystem, "ro")
        with pytest.raises(
            DataBackendError, match=f"{small_filesystem}/store.*Read-only file system; mount.*writable"
        ) as e:
            store.flush()
        assert not e.value.retryable
        remount(small_filesystem, "rw")
        assert listed(store).keys() == {kept}
        later = put_new(store)
        store.flush()
        assert listed(store).keys() == {kept, later}
    assert _staged(small_filesystem / "store") == []


def test_a_flush_that_meets_a_stored_uid_drops_its_blobs_and_not_the_stored_one(
    open_file_store: Callable[[], FileDataBackend],
) -> None:
    with open_file_store() as one, open_file_store() as other:
        uid = put_new(one)
        put(other, uid, b"other")
        beside = put_new(other)
        one.flush()
        with pytest.raises(BlobExistsError, match=uid):
            other.flush()
        assert read(other, uid) == content_of(uid, 1000)
        assert listed(other).keys() == {uid}
        put(other, beside, b"again")
        other.flush()
        assert read(one, beside) == b"again"


def _fill(store: FileDataBackend) -> None:
    for _ in range(20):
        put_new(store, MIB)


def test_a_full_disk_is_named_and_nothing_partial_is_left(small_filesystem: Path, flush_method: str) -> None:
    with FileDataBackend(str(small_filesystem / "store"), flush_method=flush_method) as store:
        kept = put_new(store, MIB)
        store.flush()
        with pytest.raises(DataBackendError, match=f"{re.escape(str(small_filesystem))}.*No space left.*run a cleanup"):
            _fill(store)
        assert read(store, kept, MIB) == content_of(kept, MIB)
    with FileDataBackend(str(small_filesystem / "store")) as store:
        assert listed(store) == {kept: MIB}
        assert _staged(small_filesystem / "store") == []
        later = put_new(store, MIB)
        store.flush()
        assert read(store, later, MIB) == content_of(later, MIB)


def test_a_document_that_finds_no_room_leaves_the_old_one(small_filesystem: Path) -> None:
    with FileDataBackend(str(small_filesystem / "store")) as store:
        store.write_document("a", b"old")
        with pytest.raises(DataBackendError, match="No space left"):
            store.write_document("a", bytes(20 * MIB))
        assert store.read_document("a") == b"old"
        store.write_document("a", b"new")
        assert store.read_document("a") == b"new"


def test_a_read_only_store_is_read_and_not_written(small_filesystem: Path) -> None:
    path = small_filesystem / "store"
    with FileDataBackend(str(path)) as store:
        uid = put_new(store)
        store.flush()
        store.write_document("a", b"1")
    remount(small_filesystem, "ro")
    with FileDataBackend(str(path)) as store:
        assert read(store, uid) == content_of(uid, 1000)
        assert listed(store) == {uid: 1000}
        assert store.read_document("a") == b"1"
        store.flush()
        for call in (
            lambda: put_new(store),
            lambda: store.delete([uid]),
            lambda: store.write_document("a", b"2"),
            lambda: store.create_document("b", b"2"),
            lambda: store.delete_document("a"),
        ):
            with pytest.raises(DataBackendError, match=r"Read-only file system; mount the filesystem writable"):
                call()
        assert read(store, uid) == content_of(uid, 1000)


def test_a_closed_store_says_so_by_an_error_of_its_own(store: FileDataBackend) -> None:
    store.close()
    with pytest.raises(DataBackendError):
        put_new(store)
    with pytest.raises(DataBackendError):
        read(store, new_uid())
