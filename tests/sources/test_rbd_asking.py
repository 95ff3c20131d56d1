"""A crash of librbd while it is asked what changed neither ends the backup nor leaves anything out."""

from __future__ import annotations

import logging
import random
import time
from pathlib import Path

import pytest

from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_plugins.sources.rbd import asking, extents
from tests.sources.rbd_images import KIB, MIB, Image, Pool

OBJECT = 4 * KIB
WINDOW = 16384 * OBJECT


@pytest.fixture
def image(pool: Pool) -> Image:
    """Three windows of small objects, without an object map, so that all of them are asked for."""
    return pool.image(2 * WINDOW + 10 * MIB, order=12, features=("LAYERING",))


def test_what_a_crash_cut_off_is_asked_again(
    image: Image, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offsets = [0, WINDOW - OBJECT, WINDOW, 2 * WINDOW - OBJECT, 2 * WINDOW, 2 * WINDOW + 9 * MIB]
    with image.snapshots() as snapshots:
        older = snapshots.create("one")
        for offset in offsets:
            image.write(offset, b"x" * OBJECT)
        newer = snapshots.create("two")
        monkeypatch.setattr(asking, "_MODULE", "tests.sources.rbd_crashing")
        with caplog.at_level(logging.INFO):
            told = list(snapshots.changes(older, newer).extents)
    assert sorted(extent.offset for extent in told) == offsets
    assert sum(extent.length for extent in told) == len(offsets) * OBJECT
    assert [record.message.startswith("librbd crashed (signal 6)") for record in caplog.records] == [True, True]
    with image.source(newer.name) as source:
        told = list(source.allocated())
    assert told == [
        Extent(0, OBJECT),
        Extent(WINDOW - OBJECT, 2 * OBJECT),
        Extent(2 * WINDOW - OBJECT, 2 * OBJECT),
        Extent(2 * WINDOW + 9 * MIB, OBJECT),
    ]


def test_a_crash_each_time_is_an_error(image: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "always_dying.py").write_text("import os; os.abort()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(asking, "_MODULE", "always_dying")
    with image.source() as source, pytest.raises(SourceError, match=f"{image.name}: librbd crashed 5 times"):
        list(source.allocated())


def test_what_the_process_says_when_it_cannot_even_start_is_told(
    image: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("raise ImportError('no such thing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(asking, "_MODULE", "broken")
    with image.source() as source, pytest.raises(SourceError, match="no such thing"):
        list(source.allocated())


def test_who_stops_listening_leaves_no_process(image: Image) -> None:
    with image.snapshots() as snapshots:
        image.write(0, random.Random(1).randbytes(MIB))
        image.write(WINDOW, b"x")
        told = image.source(snapshots.create("one").name).allocated()
        next(told)
        began = time.monotonic()
        told.close()
        assert time.monotonic() - began < 5
        assert not _children()


def test_windows_are_whole_objects_whatever_the_size(image: Image) -> None:
    with image.opened(read_only=True) as opened:
        found = list(extents._windows(opened, 0))
        assert found == [(0, WINDOW), (WINDOW, 2 * WINDOW), (2 * WINDOW, 2 * WINDOW + 10 * MIB)]
        assert list(extents._windows(opened, WINDOW)) == found[1:]


def _children() -> list[str]:
    """Processes of the asking kind that this process has left."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in path.read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"rbd.differ" in command:
                found.append(pid)
    return found
