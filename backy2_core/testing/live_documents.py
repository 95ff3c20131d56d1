"""The promises of a data backend about documents, on a live store; and that a check leaves nothing behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from backy2_core.testing.live import Broken, Promises, Skipped, expect
from backy2_core.testing.live_store import StoreScratch

PROMISES = Promises[StoreScratch]()
THREADS = 8


@PROMISES.promise("documents of 0 bytes to 1 MiB are kept whole, and replaced whole")
def _keeps(scratch: StoreScratch) -> None:
    name = f"{scratch.run.folder}kept"
    for data in (b"", b"x", bytes(1024 * 1024), b"short again"):
        scratch.store.write_document(name, data)
        _expect_document(scratch, name, data)


@PROMISES.promise("a missing document is None, and deleting it is no error")
def _misses(scratch: StoreScratch) -> None:
    name = f"{scratch.run.folder}missing"
    expect(scratch.store.read_document(name) is None, "a missing document was read")
    scratch.store.delete_document(name)


@PROMISES.promise("a deleted document is gone")
def _deletes(scratch: StoreScratch) -> None:
    name = f"{scratch.run.folder}gone"
    scratch.store.write_document(name, b"1")
    scratch.store.delete_document(name)
    expect(scratch.store.read_document(name) is None, "a deleted document was read")
    expect(name not in list(scratch.store.list_documents(scratch.run.folder)), "a deleted document was listed")


@PROMISES.promise("documents are listed by the beginning of their names, each once")
def _lists(scratch: StoreScratch) -> None:
    names = [f"{scratch.run.folder}list/{part}" for part in ("a", "b.json", "c/d")]
    for name in names:
        scratch.store.write_document(name, b"1")
    found = sorted(scratch.store.list_documents(f"{scratch.run.folder}list/"))
    expect(found == names, f"listed were {', '.join(found) or 'none'}; expected {', '.join(names)}")


@PROMISES.promise("of many that create a document one succeeds")
def _creates_once(scratch: StoreScratch) -> None:
    for attempt in range(5):
        name = f"{scratch.run.folder}once-{attempt}"
        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(lambda n, name=name: scratch.store.create_document(name, b"%d" % n), range(THREADS)))
        expect(made.count(True) == 1, f"{made.count(True)} of {THREADS} callers were told that they made it")
        _expect_document(scratch, name, b"%d" % made.index(True))


@PROMISES.promise("a reader sees the old or the new document while it is replaced")
def _replaces_whole(scratch: StoreScratch) -> None:
    name, over = f"{scratch.run.folder}replaced", threading.Event()
    values = [bytes([65 + n]) * 100_000 for n in range(10)]
    scratch.store.write_document(name, values[0])

    def watch() -> None:
        while not over.is_set():
            seen = scratch.store.read_document(name)
            if seen not in values:
                raise Broken(f"a mixture was seen: {'nothing' if seen is None else f'{len(seen)} bytes'}")

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            for value in values:
                scratch.store.write_document(name, value)
        finally:
            over.set()
        watching.result()


@PROMISES.promise("a second object sees a document without a flush")
def _is_seen_by_others(scratch: StoreScratch) -> None:
    if not scratch.store.capabilities.persistent:
        raise Skipped("it declares persistent=False")
    name = f"{scratch.run.folder}shared"
    scratch.store.write_document(name, b"1")
    with scratch.open_store() as second:
        expect(second.read_document(name) == b"1", "the second object does not see it")


@PROMISES.promise("what the check has put is removed again")
def _is_removed(scratch: StoreScratch) -> None:
    scratch.expect_removed()


@PROMISES.promise("blobs that were there before are as they were")
def _is_untouched(scratch: StoreScratch) -> None:
    scratch.expect_untouched()


def _expect_document(scratch: StoreScratch, name: str, data: bytes) -> None:
    seen = scratch.store.read_document(name)
    got = "nothing" if seen is None else f"{len(seen)} other bytes"
    expect(seen == data, f"a document of {len(data)} bytes was written, and {got} read")
