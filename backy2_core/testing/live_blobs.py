"""The promises of a data backend about blobs, on a live store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.live import Broken, Promises, Skipped, expect, expect_error
from backy2_core.testing.live_store import StoreScratch, content_of

PROMISES = Promises[StoreScratch]()
SIZES = (0, 1, 511, 4096, 65_537, 4 * 1024 * 1024)
THREADS = 8
_WRITERS = 6


@PROMISES.promise("it says where it is and what it is good at")
def _describes(scratch: StoreScratch) -> None:
    capabilities = scratch.store.capabilities
    expect(bool(scratch.store.location), "its location is empty")
    expect(capabilities == scratch.store.capabilities, "its capabilities change")
    expect(capabilities.threads >= 1, f"it declares threads={capabilities.threads}")


@PROMISES.promise("blobs of 0 bytes to 4 MiB are kept whole")
def _keeps_every_size(scratch: StoreScratch) -> None:
    for size in SIZES:
        if size <= scratch.store.capabilities.max_blob_bytes:
            uid = scratch.put(size)
            scratch.store.flush()
            _expect_whole(scratch, uid, size)


@PROMISES.promise("a blob is read as soon as put returned")
def _reads_after_put(scratch: StoreScratch) -> None:
    _expect_whole(scratch, scratch.put(), 1000)


@PROMISES.promise("a second object sees a blob once flush returned")
def _is_seen_by_others(scratch: StoreScratch) -> None:
    _need_persistent(scratch)
    with scratch.open_store() as second:
        uid = scratch.put()
        scratch.store.flush()
        expect(scratch.read(uid, store=second) == content_of(uid, 1000), "the second object reads other bytes")


@PROMISES.promise("a flushed blob is there after closing and opening again")
def _survives_closing(scratch: StoreScratch) -> None:
    _need_persistent(scratch)
    with scratch.open_store() as first:
        uid = scratch.put(5000, first)
        first.flush()
    with scratch.open_store() as second:
        expect(scratch.read(uid, store=second) == content_of(uid, 5000), "other bytes are read than were put")


@PROMISES.promise("a uid that is taken is refused, and its blob does not change")
def _never_overwrites(scratch: StoreScratch) -> None:
    uid = scratch.put()
    scratch.store.flush()
    try:
        scratch.store.put(uid, memoryview(bytearray(b"other")))
        scratch.store.flush()
    except BlobExistsError:
        _expect_whole(scratch, uid, 1000)
        return
    raise Skipped("this store relies on uids being unique: it took one twice")


@PROMISES.promise("the buffer of a put is not kept")
def _keeps_no_buffer(scratch: StoreScratch) -> None:
    uid, buffer = scratch.new_uid(), bytearray(b"before")
    scratch.store.put(uid, memoryview(buffer))
    buffer[:] = b"behind"
    scratch.store.flush()
    expect(scratch.read(uid) == b"before", "what the caller wrote into its buffer later is in the blob")


@PROMISES.promise("get writes its bytes to the beginning of the buffer, and nothing else")
def _writes_the_buffer_only(scratch: StoreScratch) -> None:
    uid, buffer = scratch.put(100), bytearray(b"#" * 400)
    scratch.store.flush()
    length = scratch.store.get(uid, memoryview(buffer)[100:300])
    expect(length == 100, f"get returned {length} for a blob of 100 bytes")
    expect(buffer[100:200] == content_of(uid, 100), "other bytes are read than were put")
    expect(buffer[:100] + buffer[300:] == b"#" * 200, "bytes around the buffer were changed")


@PROMISES.promise("a missing blob is reported as missing, with its uid")
def _reports_missing(scratch: StoreScratch) -> None:
    uid = scratch.new_uid()
    for what, call in (("get", lambda: scratch.read(uid)), ("stored_size", lambda: scratch.store.stored_size(uid))):
        error = expect_error(BlobNotFoundError, call, f"{what} of a missing blob")
        expect(uid in str(error), f"the error of {what} does not name the uid: {error}")


@PROMISES.promise("a blob longer than the buffer is an error, and is not cut")
def _reports_too_long(scratch: StoreScratch) -> None:
    uid = scratch.put()
    scratch.store.flush()
    expect_error(BlobDamagedError, lambda: scratch.read(uid, 999), "get into a buffer that is too small")


@PROMISES.promise("a deleted blob is gone, and others stay")
def _deletes(scratch: StoreScratch) -> None:
    gone, stays = scratch.put(), scratch.put()
    scratch.store.flush()
    scratch.store.delete([gone])
    expect_error(BlobNotFoundError, lambda: scratch.read(gone), "get of a deleted blob")
    _expect_whole(scratch, stays, 1000)


@PROMISES.promise("deleting what is not there, or nothing, is no error")
def _deletes_missing(scratch: StoreScratch) -> None:
    uid = scratch.put()
    scratch.store.flush()
    scratch.store.delete([scratch.new_uid(), uid, scratch.new_uid()])
    scratch.store.delete([uid])
    scratch.store.delete([])


@PROMISES.promise("a listing has each blob once, with its size, and no deleted one")
def _lists(scratch: StoreScratch) -> None:
    sizes = {scratch.put(size): size for size in range(1, 21)}
    scratch.store.flush()
    gone = list(sizes)[:5]
    scratch.store.delete(gone)
    rows = [row for row in scratch.listed() if row.uid in sizes]
    uids = [row.uid for row in rows]
    expect(len(uids) == len(set(uids)), "a blob was listed twice")
    expect(not set(uids) & set(gone), "a deleted blob was listed")
    missing = sizes.keys() - set(gone) - set(uids)
    expect(not missing, f"{len(missing)} of {len(sizes) - len(gone)} blobs were not listed")
    wrong = [row for row in rows if row.stored_size != sizes[row.uid]]
    expect(not wrong, "a blob was listed with another size than was put")


@PROMISES.promise("many threads put, read and delete at once")
def _serves_threads(scratch: StoreScratch) -> None:
    uids = [[scratch.new_uid() for _ in range(5)] for _ in range(THREADS)]

    def work(mine: list[BlobUid]) -> None:
        for uid in mine:
            scratch.store.put(uid, memoryview(bytearray(content_of(uid, 20_000))))
            _expect_whole(scratch, uid, 20_000)
        scratch.store.flush()
        scratch.store.delete(mine[:1])
        for uid in mine[1:]:
            _expect_whole(scratch, uid, 20_000)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, uids))


@PROMISES.promise("a blob is seen whole or not at all while it is put")
def _is_atomic(scratch: StoreScratch) -> None:
    size = min(4 * 1024 * 1024, scratch.store.capabilities.max_blob_bytes)
    contents = {uid: content_of(uid, size) for uid in (scratch.new_uid() for _ in range(_WRITERS))}
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for uid, content in contents.items():
                try:
                    seen = scratch.read(uid, size)
                except BlobNotFoundError:
                    continue
                if seen != content:
                    raise Broken(f"{len(seen)} bytes of a blob of {size} were seen while it was put")

    with ThreadPoolExecutor(2) as pool:
        watching = pool.submit(watch)
        try:
            for uid, content in contents.items():
                scratch.store.put(uid, memoryview(bytearray(content)))
            scratch.store.flush()
        finally:
            over.set()
        watching.result()


@PROMISES.promise("flushing with nothing to do, and closing twice, is no error")
def _flushes_and_closes(scratch: StoreScratch) -> None:
    second = scratch.open_store()
    try:
        second.flush()
        second.flush()
    finally:
        second.close()
        second.close()


def _need_persistent(scratch: StoreScratch) -> None:
    if not scratch.store.capabilities.persistent:
        raise Skipped("it declares persistent=False")


def _expect_whole(scratch: StoreScratch, uid: BlobUid, size: int) -> None:
    seen = scratch.read(uid, max(size, 1))
    expect(seen == content_of(uid, size), f"of a blob of {size} bytes, {len(seen)} bytes were read, and not the same")
    stored = scratch.store.stored_size(uid)
    expect(stored == size, f"stored_size says {stored} of a blob of {size} bytes")
