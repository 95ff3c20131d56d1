"""Faults 22 to 26 and 28: what a backup, a list and a check may cost, counted and not timed."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy

import backy2_plugins.sources.file as file_source
from backy2_core.engine.requests import ScrubRequest
from backy2_core.engine.scrub import scrub
from tests.engine.place import Place, numbered
from tests.engine.transforms import Zip
from tests.faults.site import Site
from tests.support.engines import settings_of

SMALL = 512
COUNT = 20_000
"""Blocks of the images here: enough for 157 segments."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts statements and commits of all databases in this process."""
    found: Counter[str] = Counter()

    def statement(*_: object) -> None:
        found["statements"] += 1

    def commit(*_: object) -> None:
        found["commits"] += 1

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", statement)
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", commit)
    try:
        yield found
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", statement)
        sqlalchemy.event.remove(sqlalchemy.Engine, "commit", commit)


def _image(change: int | None = None) -> bytes:
    """Few distinct blocks in an order that does not repeat soon, so that few blobs and many segments come of it."""
    data = bytearray(b"".join(b"%04d" % (n * n % 997) * (SMALL // 4) for n in range(COUNT)))
    if change is not None:
        data[change * SMALL : (change + 1) * SMALL] = b"new!" * (SMALL // 4)
    return bytes(data)


def _rows(site: Site) -> int:
    tables = [name for (name,) in site.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sum(site.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables)


def _bytes(site: Site) -> int:
    return int(site.rows("SELECT sum(length(data)) FROM backy2_segments")[0][0])


@pytest.fixture
def small(site: Site) -> Site:
    """A site with blocks of 512 bytes."""
    site.configure({"block_size": SMALL})
    return site


@pytest.mark.parametrize("hinted", [True, False])
def test_fault_22_an_incremental_backup_adds_rows_for_what_changed_and_not_for_the_image(
    hinted: bool, small: Site
) -> None:
    """The original copied a row a block into every version, however little had changed."""
    base = small.backup(_image())
    rows, size = _rows(small), _bytes(small)
    hints = [{"offset": 7000 * SMALL, "length": SMALL, "exists": "true"}] if hinted else None
    uid = small.backup(_image(7000), "-f", base, hints=hints)
    assert _rows(small) - rows < 12
    assert _bytes(small) - size < size / 100
    assert small.restored(uid) == _image(7000)


def test_fault_23_blocks_are_recorded_and_looked_up_many_at_a_time(small: Site) -> None:
    """The original committed each block's row by itself (23), and asked once for each block, zeros included (24)."""
    with counted() as first:
        small.backup(_image())
    with counted() as again:
        small.backup(name="again")
    for found in (first, again):
        assert 0 < found["statements"] < COUNT / 50
        assert 0 < found["commits"] < COUNT / 200


def test_fault_25_memory_does_not_grow_with_the_image(site: Site) -> None:
    """The original kept a queue of all blocks, sets of all ids and lists of all rows in memory.

    Here an image of two million blocks takes little more than one of two thousand.
    """
    site.configure({"block_size": "64k"})
    peaks = []
    for gib in (1 / 8, 128):
        with site.image.open("wb") as file:
            file.write(os.urandom(1024 * 1024))
            file.truncate(int(gib * 1024**3))
        peaks.append([_peak_mib(site, "backup", site.url, "vm"), _peak_mib(site, "scrub", "latest:vm")])
    for small, large in zip(*peaks, strict=True):
        assert large < small + 60, peaks


def _peak_mib(site: Site, *argv: str) -> float:
    with site.start(*argv) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, process.stderr and process.stderr.read()
    return usage.ru_maxrss / 1024


class Meeting(Zip):
    """A transform whose first call on a thread of the engine waits for one on another; it counts the calls by thread."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[int] = Counter()
        self._first = 0
        self._other = threading.Event()

    def seal(self, data):
        self.meet()
        return super().seal(data)

    def unseal(self, data, envelope, clear_size):
        self.meet()
        return super().unseal(data, envelope, clear_size)

    @property
    def by_main_thread(self) -> int:
        return self.calls.pop(threading.get_ident(), 0)

    def meet(self) -> None:
        thread = threading.get_ident()
        self.calls[thread] += 1
        if thread == threading.main_thread().ident:
            return
        self._first = self._first or thread
        if thread != self._first:
            self._other.set()
        elif not self._other.wait(timeout=20):
            raise AssertionError("no other thread came")


def test_fault_26_transforms_run_on_several_threads_and_not_on_the_main_one(place: Place) -> None:
    """The original compressed and encrypted on its main thread, one block at a time.

    Here that one proves the keys at most, once for a job.
    """
    sealing, opening = Meeting(), Meeting()
    content = numbered(2000)
    uid = place.uid(content, engine=place.engine_with([("zip", sealing)]))
    assert place.restored(uid, engine=place.engine_with([], lambda name, parameters: opening)) == content
    for used in (sealing, opening):
        assert used.by_main_thread <= 1
        assert len(used.calls) > 1


def test_fault_26_a_scrub_against_the_source_reads_several_blocks_of_it_at_once(place: Place) -> None:
    """The original read the source one block at a time."""
    uid = place.uid(numbered(200))
    meeting = Meeting()

    def open_source(url: str):
        source = file_source.backy2_open_source(url, settings_of(file_source))
        read = source.read_into
        source.read_into = lambda offset, buffer: (meeting.meet(), read(offset, buffer))[1]
        return source

    engine = place.engine_with()
    object.__setattr__(engine, "open_source", open_source)
    result = scrub(engine, ScrubRequest(uid, f"file://{place.image}"))
    assert (result.checked_blocks, result.different_blocks) == (200, 0)
    assert len(meeting.calls) > 1


@pytest.mark.parametrize("verb", ["ls", "stats", "due", "sla"])
def test_fault_28_a_list_asks_the_database_as_often_for_many_versions_as_for_few(verb: str, site: Site) -> None:
    """The original loaded versions and their tags one by one; due and sla listed all of them again for each scheduler."""
    site.configure(more="\n".join(f"[schedule:{n}]\ninterval = 1d\nkeep = 9\nsla = 1h" for n in ("daily", "weekly")))
    options = ("-s", "daily,weekly") if verb in ("due", "sla") else ()
    found = []
    for count in (3, 20):
        for _ in range(count):
            site.backup(b"x" * 100, "-t", "daily,weekly")
        with counted() as counts:
            site.ok(verb, *options)
        found.append(counts["statements"])
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("verb", ["du", "diff-meta"])
def test_fault_28_what_versions_take_and_how_they_differ_is_not_asked_block_by_block(verb: str, small: Site) -> None:
    """The original's du asked the database once for each block, and its diff-meta grew with the square of them (25)."""
    uids = [small.backup(_image()), small.backup(_image(7000))]
    with counted() as counts:
        small.ok(verb, *(uids if verb == "diff-meta" else []))
    assert 0 < counts["statements"] < COUNT / 200
