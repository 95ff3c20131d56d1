"""Blobs in parts are whole or not there, whoever is killed, and what a killed one left is found and removed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.errors import BlobExistsError, BlobNotFoundError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_core.wrappers.retrying import RetryingDataBackend
from backy2_plugins.data_backends.rados import large
from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.large import PENDING, Head
from tests.data_backends.rados_stores import KIB, MIB, open_store
from tests.support.ceph import Cluster

SIZE, PART = 200 * KIB, 30 * KIB
KILLS = 10
WRITER = """
import sys
from backy2_core.testing.data_backend_base import content_of, new_uid, put
from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.settings import RadosOptions

conf, pool, namespace, size, part = sys.argv[1:]
store = RadosDataBackend(RadosOptions(pool=pool, conf_file=conf, namespace=namespace, object_size=int(part)))
while True:
    uid = new_uid()
    put(store, uid, content_of(uid, int(size)))
    print("put", uid, flush=True)
    store.delete([uid]) if uid < "8" else None
    print("deleted" if uid < "8" else "kept", uid, flush=True)
"""


@pytest.fixture
def pool(ceph: Cluster) -> str:
    return ceph.make_pool()


@pytest.fixture
def store(ceph: Cluster, pool: str) -> Iterator[RadosDataBackend]:
    with open_store(ceph, pool, object_size=PART) as store:
        yield store


def parts_of(ceph: Cluster, pool: str) -> list[str]:
    """Names of all parts that are stored."""
    return ceph.run("rados", "--pool", pool, "--namespace", "backy2.parts", "ls").split()


def forget_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not finished is taken for left behind at once."""
    monkeypatch.setattr(large, "TIDY_AFTER_S", -1)


def kill_one(ceph: Cluster, pool: str, delay_s: float) -> dict[str, str]:
    """Let a process put and delete, and kill it; the last that it told of each uid."""
    arguments = [str(ceph.conf), pool, "backy2", str(SIZE), str(PART)]
    with subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = child.stdout.readline()
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read()
    return {uid: state for state, uid in re.findall(r"^(\w+) (\w{32})$", told, re.MULTILINE)}


def test_killed_writers_leave_whole_blobs_and_nothing_that_stays(
    ceph: Cluster, pool: str, store: RadosDataBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, str] = {}
    with ThreadPoolExecutor(2) as threads:
        for told_by_one in threads.map(lambda _: kill_one(ceph, pool, random.uniform(0, 0.08)), range(KILLS)):
            told |= told_by_one
    sizes = listed(store)
    assert set(sizes.values()) == {SIZE}
    for uid in sizes:
        assert read(store, uid, SIZE) == content_of(uid, SIZE)
    assert {uid for uid, state in told.items() if state == "kept"} <= sizes.keys()
    assert not {uid for uid, state in told.items() if state == "deleted"} & sizes.keys()
    forget_the_day(monkeypatch)
    assert listed(store) == sizes
    heads = ceph.run("rados", "--pool", pool, "--namespace", "backy2", "ls").split()
    assert sorted(heads) == sorted(f"{uid}.large" for uid in sizes)
    assert len(parts_of(ceph, pool)) == len(sizes) * -(-SIZE // PART)


def test_a_blob_of_100_mib_is_kept(ceph: Cluster, pool: str) -> None:
    with open_store(ceph, pool) as store:
        uid, data = new_uid(), os.urandom(MIB) * 100
        put(store, uid, data)
        assert len(parts_of(ceph, pool)) == 4
        assert listed(store) == {uid: 100 * MIB}
        assert read(store, uid, 100 * MIB) == data
        store.delete([uid])
        assert parts_of(ceph, pool) == []
        with pytest.raises(BlobNotFoundError):
            store.stored_size(uid)


def test_what_a_killed_writer_left_stays_for_a_day(
    ceph: Cluster, pool: str, store: RadosDataBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = Head(PENDING, SIZE, PART, "t1", int(time.time()) - large.TIDY_AFTER_S + 60)
    uid = leave(store, head)
    assert listed(store) == {}
    assert len(parts_of(ceph, pool)) == 1
    forget_the_day(monkeypatch)
    assert listed(store) == {}
    assert parts_of(ceph, pool) == []
    with pytest.raises(BlobNotFoundError):
        read(store, uid)


def test_a_uid_whose_writer_was_killed_can_be_put_again(ceph: Cluster, pool: str, store: RadosDataBackend) -> None:
    uid = leave(store, Head(PENDING, SIZE, PART, "t1", int(time.time())))
    put(store, uid, content_of(uid, SIZE))
    assert read(store, uid, SIZE) == content_of(uid, SIZE)
    store.delete([uid])
    assert parts_of(ceph, pool) == [], "parts of the first attempt stayed"


def test_a_writer_whose_head_was_tidied_up_makes_no_blob(
    ceph: Cluster, pool: str, store: RadosDataBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He slept for days, between his parts and the last change of his head."""
    forget_the_day(monkeypatch)
    original = store._large._parts.replace

    def sleep_long(name: str, data: memoryview) -> None:
        original(name, data)
        listed(store)

    monkeypatch.setattr(store._large._parts, "replace", sleep_long)
    with pytest.raises(BlobExistsError):
        put_new(store, SIZE)
    assert listed(store) == {}
    assert parts_of(ceph, pool) == []


def test_a_uid_put_in_parts_by_many_threads_is_taken_once(store: RadosDataBackend) -> None:
    for _ in range(5):
        uid = new_uid()

        def try_to_put(number: int, uid: BlobUid = uid) -> int | None:
            try:
                put(store, uid, b"%d" % number * (PART + 1))
            except BlobExistsError:
                return None
            return number

        with ThreadPoolExecutor(4) as threads:
            taken = [number for number in threads.map(try_to_put, range(4)) if number is not None]
        assert len(taken) == 1
        assert read(store, uid, SIZE) == b"%d" % taken[0] * (PART + 1)


def test_puts_go_on_after_the_osd_was_killed_and_started_again(own_ceph: Cluster) -> None:
    with RetryingDataBackend(open_store(own_ceph, own_ceph.make_pool(), object_size=PART, timeout_s=1)) as store:
        stop, sizes = threading.Event(), (10, 5000, PART, SIZE)

        def put_many(_: int) -> list[BlobUid]:
            uids: list[BlobUid] = []
            while not stop.is_set():
                uids.append(put_new(store, sizes[len(uids) % len(sizes)]))
            return uids

        with ThreadPoolExecutor(4) as threads:
            putting = [threads.submit(put_many, number) for number in range(4)]
            for _ in range(2):
                time.sleep(0.2)
                own_ceph.kill_osd()
                time.sleep(1.2)
                own_ceph.start_osd()
                store.stored_size(put_new(store))
            stop.set()
        found = listed(store)
        for uids in putting:
            for number, uid in enumerate(uids.result()):
                size = sizes[number % len(sizes)]
                assert found[uid] == size
                assert read(store, uid, size) == content_of(uid, size)


@pytest.mark.parametrize("size", [10, SIZE])
def test_what_was_given_up_and_done_all_the_same_is_no_failure(own_ceph: Cluster, size: int) -> None:
    """The OSD sleeps over the time-out, does what it was told then, and is told again."""
    osd = own_ceph.pids[-1]
    with RetryingDataBackend(open_store(own_ceph, own_ceph.make_pool(), object_size=PART, timeout_s=1)) as store:
        put_new(store)
        os.kill(osd, signal.SIGSTOP)
        with ThreadPoolExecutor(2) as threads:
            blob = threads.submit(put_new, store, size)
            document = threads.submit(store.create_document, "a", b"by me")
            time.sleep(1.1)
            os.kill(osd, signal.SIGCONT)
            uid = blob.result()
            assert document.result()
        assert listed(store)[uid] == size
        assert read(store, uid, SIZE) == content_of(uid, size)
        assert store.read_document("a") == b"by me"


def test_an_answer_that_got_lost_is_no_second_blob(
    ceph: Cluster, pool: str, store: RadosDataBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change was made, and the library, asking again, is told that somebody was faster."""
    original = store._large._heads.exchange
    monkeypatch.setattr(store._large._heads, "exchange", lambda *words: original(*words) and False)
    uid = put_new(store, SIZE)
    monkeypatch.undo()
    assert read(store, uid, SIZE) == content_of(uid, SIZE)


def leave(store: RadosDataBackend, head: Head) -> BlobUid:
    """What a writer leaves who was killed after the first part."""
    uid = new_uid()
    assert store._blobs.create(f"{uid}.large", memoryview(head.encode()))
    name, _, length = next(head.parts(uid))
    store._large._parts.replace(name, memoryview(bytes(length)))
    return uid
