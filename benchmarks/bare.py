"""The bare loops: two threads that read, check for zeros, hash, look up and write, with reused buffers and nothing else.

They set the mark for the real jobs: the same bytes, the same checks, the same durability, no metadata but a dictionary.
``python -m benchmarks.bare backup IMAGE STORE``, ``restore STORE FILE`` and ``scrub STORE`` each print one line of JSON.
With ``--sealed`` they compress and encrypt what they write, and undo it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from blake3 import blake3

from benchmarks.bare_io import BATCH_BYTES, RUN_BYTES, BareStore, Index, data_runs, start_writing
from benchmarks.bare_seal import ROOM_BYTES, NoSealing, Sealing, sealing
from benchmarks.sizes import MIB, parse_size

T = TypeVar("T")
THREADS = 2
PLAIN = NoSealing()


@dataclass(frozen=True, slots=True)
class Done:
    """What a loop did: seconds without the start of the interpreter, bytes read of the image or store, bytes written."""

    seconds: float
    read_bytes: int
    written_bytes: int


@dataclass(slots=True)
class Batch:
    """Blobs that were written and not yet made durable."""

    numbers: list[int] = field(default_factory=list)
    size_bytes: int = 0


class Backup:
    """Backs up one image into a bare store; blocks that the index knows are not written again."""

    def __init__(self, image: int, store: BareStore, index: Index, sealing: Sealing) -> None:
        self._image, self._store, self._index, self._sealing = image, store, index, sealing
        self._zeros = b"\0" * index.block_bytes
        self._numbers = itertools.count(len(index.known))
        self._lock = threading.Lock()
        self._batch = Batch()
        self.read_bytes = self.written_bytes = 0

    def run(self, runs: Iterable[tuple[int, int]]) -> None:
        """Read these runs of blocks; on return all is durable."""
        on_threads(runs, self._one_run, max(RUN_BYTES, self._index.block_bytes))
        self._store.make_durable(self._batch.numbers)
        self._store.save(self._index)

    def _one_run(self, run: tuple[int, int], buffer: memoryview) -> None:
        size, start = self._index.block_bytes, run[0]
        length = min(run[1] * size, self._index.size_bytes) - start * size
        if os.preadv(self._image, [buffer[:length]], start * size) != length:
            raise OSError("short read")
        with self._lock:
            self.read_bytes += length
        for offset in range(0, length, size):
            self._one_block(start + offset // size, buffer[offset : min(offset + size, length)])

    def _one_block(self, block: int, data: memoryview) -> None:
        if self._zeros.startswith(data):
            self._index.blocks.pop(block, None)
            return
        checksum = blake3(data).digest()
        number = self._index.known.get(checksum)
        if number is None:
            fresh = next(self._numbers)
            number = self._index.known.setdefault(checksum, fresh)
            if number == fresh:
                self._write(number, data)
        self._index.blocks[block] = number

    def _write(self, number: int, data: memoryview) -> None:
        blob = self._sealing.seal(data)
        self._store.write_temporary(number, blob)
        with self._lock:
            self.written_bytes += len(blob)
            self._batch.numbers.append(number)
            self._batch.size_bytes += len(blob)
            if self._batch.size_bytes < BATCH_BYTES:
                return
            full, self._batch = self._batch, Batch()
        self._store.make_durable(full.numbers)


def back_up(
    image: Path, store: BareStore, block_bytes: int, hints: Path | None = None, sealing: Sealing = PLAIN
) -> Done:
    """Back up ``image``: all that is allocated, or the ranges of ``hints`` only."""
    began = time.perf_counter()
    fd = os.open(image, os.O_RDONLY)
    try:
        index = store.load() or Index(os.fstat(fd).st_size, block_bytes)
        backup = Backup(fd, store, index, sealing)
        if hints is None:
            index.blocks.clear()
            backup.run(data_runs(fd, index))
        else:
            backup.run(hinted_runs(hints, index.block_bytes))
    finally:
        os.close(fd)
    return Done(time.perf_counter() - began, backup.read_bytes, backup.written_bytes)


def restore(store: BareStore, target: Path, sealing: Sealing = PLAIN) -> Done:
    """Write the image to a new sparse file; each block is checked, and all is durable on return."""
    began = time.perf_counter()
    index = loaded(store)
    checksums = {number: checksum for checksum, number in index.known.items()}
    fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def one_block(item: tuple[int, int], buffer: memoryview) -> None:
        block, number = item
        data = sealing.unseal(store.read(number, buffer))
        check(data, checksums[number], number)
        offset = block * index.block_bytes
        os.pwrite(fd, data, offset)
        start_writing(fd, offset, len(data))

    try:
        os.truncate(fd, index.size_bytes)
        on_threads(sorted(index.blocks.items()), one_block, index.block_bytes + ROOM_BYTES)
        os.fsync(fd)
    finally:
        os.close(fd)
    size = len(index.blocks) * index.block_bytes
    return Done(time.perf_counter() - began, size, size)


def scrub(store: BareStore, sealing: Sealing = PLAIN) -> Done:
    """Read and check each block of the image, as often as it is there."""
    began = time.perf_counter()
    index = loaded(store)
    checksums = {number: checksum for checksum, number in index.known.items()}

    def one_block(item: tuple[int, int], buffer: memoryview) -> None:
        check(sealing.unseal(store.read(item[1], buffer)), checksums[item[1]], item[1])

    on_threads(sorted(index.blocks.items()), one_block, index.block_bytes + ROOM_BYTES)
    return Done(time.perf_counter() - began, len(index.blocks) * index.block_bytes, 0)


def hinted_runs(hints: Path, block_bytes: int) -> Iterator[tuple[int, int]]:
    """The blocks that each changed range of a hints file touches, in runs of about 4 MiB."""
    step = max(1, RUN_BYTES // block_bytes)
    for hint in json.loads(hints.read_text()):
        stop = -(-(hint["offset"] + hint["length"]) // block_bytes)
        for first in range(hint["offset"] // block_bytes, stop, step):
            yield first, min(first + step, stop)


def on_threads(items: Iterable[T], work: Callable[[T, memoryview], None], buffer_bytes: int) -> None:
    """Call ``work(item, buffer)`` for each item on two threads, each with one buffer; raises what a thread raised."""
    pending, lock, failures = iter(items), threading.Lock(), list[BaseException]()

    def take() -> T | None:
        with lock:
            return None if failures else next(pending, None)

    def worker() -> None:
        try:
            buffer = memoryview(mmap.mmap(-1, buffer_bytes))
            while (item := take()) is not None:
                work(item, buffer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=worker) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def check(data: memoryview, checksum: bytes, number: int) -> None:
    """Raise OSError unless ``data`` has this checksum."""
    if blake3(data).digest() != checksum:
        raise OSError(f"blob {number} is damaged")


def loaded(store: BareStore) -> Index:
    """The index of a store that was backed up to."""
    index = store.load()
    if index is None:
        raise FileNotFoundError("nothing was backed up to this store")
    return index


def main() -> None:
    """Run one loop and print what it did as JSON."""
    parser = argparse.ArgumentParser(description="Run one bare loop.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    backup_verb, restore_verb, scrub_verb = (verbs.add_parser(verb) for verb in ("backup", "restore", "scrub"))
    backup_verb.add_argument("image", type=Path)
    for verb in (backup_verb, restore_verb, scrub_verb):
        verb.add_argument("store", type=Path)
        verb.add_argument("--sealed", action="store_true")
    backup_verb.add_argument("--block-size", type=parse_size, default=4 * MIB)
    backup_verb.add_argument("--hints", type=Path)
    restore_verb.add_argument("target", type=Path)
    arguments = parser.parse_args()
    done = run_verb(arguments)
    print(json.dumps({"seconds": done.seconds, "read": done.read_bytes, "written": done.written_bytes}))


def run_verb(arguments: argparse.Namespace) -> Done:
    """The loop that the command line names."""
    store, seal = BareStore(arguments.store), sealing(arguments.sealed)
    if arguments.verb == "backup":
        return back_up(arguments.image, store, arguments.block_size, arguments.hints, seal)
    return restore(store, arguments.target, seal) if arguments.verb == "restore" else scrub(store, seal)


if __name__ == "__main__":
    main()
