"""Durability by the order of system calls: a killed process does not lose the page cache, a machine without power does.

INVARIANTS 1 and 2. A child runs under strace; each promise is a function that lists what breaks it in the log, and is tested
itself on the same log with the call left out that it must miss.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from backy2_core.testing.strace import Call
from tests.crash.child import Job
from tests.crash.strace_log import OPTIONS, Log, read_log, renamed, unlinked
from tests.crash.world import World
from tests.crash.zygote import Zygote

_ROOT = Path(__file__).resolve().parents[2]
_BLOB = re.compile(r"/data/[0-9a-f]{2}/[0-9a-f]{2}/(?P<uid>[0-9a-f]{32})\.blob$")
_MARKER = re.compile(r"/data/backy2/versions/[0-9a-f-]{36}\.json$")


@cache
def _why_not() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace is not permitted here"


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "strace works")


@pytest.fixture
def disk(tmp_path: Path, zygote: Zygote) -> World:
    """A world on a disk: where nothing is ever written out, programs may leave the calls away."""
    return World(tmp_path, zygote, "durability")


def _traced(world: World, kind: str, arguments: dict[str, Any], flush_method: str = "syncfs") -> Log:
    job, log, marks = world.folder / "job", world.folder / "strace", world.folder / "marks"
    result = world.folder / "result"
    described = Job(
        str(world.folder),
        kind,
        str(result),
        arguments,
        marks=str(marks),
        flush_method=flush_method,
        store=str(world.store),
    )
    job.write_text(json.dumps(asdict(described)))
    command = ["strace", *OPTIONS, "-o", str(log), sys.executable, "-m", "tests.crash.child", str(job)]
    ended = subprocess.run(
        command, cwd=_ROOT, env=os.environ | {"PYTHONPATH": str(_ROOT)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, (ended, result.read_text() if result.exists() else "")
    return Log(read_log(log))


# -- backup


@pytest.mark.parametrize("flush_method", ["syncfs", "fsync"])
def test_a_blob_is_durable_under_its_name_before_a_record_of_it_is_committed(flush_method: str, disk: World) -> None:
    log = _traced(disk, "backup", disk.backup_arguments(disk.new_image(90)), flush_method)
    blobs = {uid for _, uid in _published(log)}
    assert blobs == disk.objects()
    assert len(blobs) > 20
    assert list(_broken_blobs(log, disk)) == []
    for unwanted in (_is_first_content_sync, _is_last_name_sync, _is_wal_sync):
        assert list(_broken_blobs(log.without(unwanted(log)), disk)), f"{unwanted.__name__} is not missed"


@pytest.mark.parametrize("flush_method", ["syncfs", "fsync"])
def test_the_marker_is_durable_before_the_commit_that_makes_the_version_valid(flush_method: str, disk: World) -> None:
    log = _traced(disk, "backup", disk.backup_arguments(disk.new_image(70)), flush_method)
    assert list(_broken_marker(log, disk)) == []
    for unwanted in (_is_document_sync, _is_marker_folder_sync, _is_marker_rename, _is_wal_sync):
        assert list(_broken_marker(log.without(unwanted(log)), disk)), f"{unwanted.__name__} is not missed"


def _published(log: Log) -> Iterator[tuple[Call, str]]:
    for call in log.calls:
        if renamed(call) and (found := _BLOB.search(renamed(call)[1])):
            yield call, found["uid"]


def _wal(world: World) -> str:
    return f"{world.folder}/meta.sqlite-wal"


def _broken_blobs(log: Log, world: World) -> Iterator[str]:
    root = f"{world.store}/data"
    for rename, uid in _published(log):
        temporary, final = renamed(rename)
        written = max((call.end for call in log.writes(temporary)), default=-1)
        if written < 0:
            yield f"{uid} got its name without having been written"
        if not log.synced({temporary, root}, written, rename.start):
            yield f"{uid} got its name before its bytes were durable"
        recorded = next((call for call in log.writes(_wal(world)) if uid in call.text), None)
        if recorded is None:
            yield f"{uid} was never recorded"
            continue
        for folder in _names_to_sync(final, root):
            if not _name_is_durable(log, folder, root, rename.end, recorded.start):
                yield f"{uid} was recorded before its name in {folder} was durable"
        told = next((call.start for call in log.mark("after meta.add_blobs") if call.start > recorded.end), -1)
        if not log.synced_alone(_wal(world), recorded.end, told):
            yield f"the record of {uid} was not durable when the program went on"


def _names_to_sync(final: str, root: str) -> list[str]:
    folder = os.path.dirname(final)
    return [folder, os.path.dirname(folder), root]


def _name_is_durable(log: Log, folder: str, root: str, after: int, before: int) -> bool:
    by_filesystem = any(
        call.name == "syncfs" and call.path == root and call.start > after and call.end < before for call in log.calls
    )
    # The two folders above may have been made durable for an earlier blob in the same folder.
    earliest = after if folder.count("/") - root.count("/") == 2 else -1
    return by_filesystem or log.synced_alone(folder, earliest, before)


def _broken_marker(log: Log, world: World) -> Iterator[str]:
    (finishing,), (finished,) = log.mark("before meta.finish_version"), log.mark("after meta.finish_version")
    renames = [call for call in log.calls if renamed(call) and _MARKER.search(renamed(call)[1])]
    if len(renames) != 1:
        yield f"the marker was written {len(renames)} times"
    for rename in renames:
        temporary, final = renamed(rename)
        written = max((call.end for call in log.writes(temporary)), default=-1)
        if written < 0 or not log.synced_alone(temporary, written, rename.start):
            yield "the marker got its name before its bytes were durable"
        if not log.synced_alone(os.path.dirname(final), rename.end, finishing.start):
            yield "the version became valid before the name of its marker was durable"
        if not log.synced_alone(os.path.dirname(os.path.dirname(final)), -1, finishing.start):
            yield "the version became valid before the folder of markers was durable"
    commits = [call for call in log.writes(_wal(world)) if finishing.end < call.start < finished.start]
    if not commits or not log.synced_alone(_wal(world), commits[-1].end, finished.start):
        yield "the backup went on before its version was durably valid"


# -- restore and cleanup


@pytest.mark.parametrize("there", [False, True], ids=["new", "overwritten"])
def test_what_was_restored_is_durable_before_the_restore_says_that_it_is_done(there: bool, disk: World) -> None:
    disk.backed_up(disk.new_image(70))
    (version,) = disk.valid()
    # In a folder of its own: SQLite syncs that of the database.
    target = disk.folder / "restored" / "target"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"x" * version.geometry.size_bytes)
    log = _traced(disk, "restore", {"uid": version.uid, "target": f"file://{target}", "force": there})
    assert list(_broken_target(log, target, fresh=not there)) == []
    disk.check_content(target, version.name)
    without = log.without(lambda call: call.name == "fsync" and call.path == str(target))
    assert list(_broken_target(without, target, fresh=False))
    if not there:
        without = log.without(lambda call: call.name == "fsync" and call.path == str(target.parent))
        assert list(_broken_target(without, target, fresh=True))


def _broken_target(log: Log, target: Path, *, fresh: bool) -> Iterator[str]:
    changing = ("write", "pwrite64", "ftruncate", "fallocate")
    changes = [call.end for call in log.calls if call.name in changing and call.path == str(target)]
    (said,) = log.mark("said finished")
    if not changes:
        yield "nothing was written"
    elif not log.synced_alone(str(target), max(changes), said.start):
        yield "the restore was called done before all of it was durable"
    if fresh and not log.synced_alone(str(target.parent), -1, said.start):
        yield "the restore was called done before the name of the target was durable"


def test_the_marker_of_a_removed_version_is_durably_gone_before_its_row_goes(disk: World) -> None:
    """A marker that came back after a power loss, for a version without a row, would stop every later cleanup."""
    disk.backed_up(disk.new_image(70))
    (version,) = disk.valid()
    (marker,) = (disk.store / "data" / "backy2" / "versions").iterdir()
    content = marker.read_bytes()
    disk.remove(version)
    # As where the store could not be reached by rm.
    marker.write_bytes(content)
    log = _traced(disk, "cleanup", {"full": True})
    assert list(_broken_purge(log)) == []
    assert list(_broken_purge(log.without(_is_marker_folder_sync(log))))


def _broken_purge(log: Log) -> Iterator[str]:
    gone = [call for call in log.calls if _MARKER.search(unlinked(call))]
    if len(gone) != 1:
        yield f"the marker was deleted {len(gone)} times"
    for call in gone:
        if not log.synced_alone(
            os.path.dirname(unlinked(call)), call.end, log.mark("before meta.purge_versions")[0].start
        ):
            yield "the version's row went before its marker was durably gone"


# -- calls to be left out of a log, for testing the tests


def _is_first_content_sync(log: Log) -> Any:
    """Every sync between the first write of a blob and the first name of one."""
    first = next(rename for rename, _ in _published(log))
    return lambda call: call.name in ("syncfs", "fdatasync") and call.end < first.start and "sqlite" not in call.path


def _is_last_name_sync(log: Log) -> Any:
    last = [rename for rename, _ in _published(log)][-1]
    return lambda call: call.name in ("syncfs", "fsync") and call.start > last.end and "/data" in call.path


def _is_wal_sync(log: Log) -> Any:
    return lambda call: call.name in ("fsync", "fdatasync") and call.path.endswith("-wal")


def _is_document_sync(log: Log) -> Any:
    return lambda call: call.name == "fsync" and "/document." in call.path


def _is_marker_folder_sync(log: Log) -> Any:
    return lambda call: call.name == "fsync" and call.path.endswith("/backy2/versions")


def _is_marker_rename(log: Log) -> Any:
    return lambda call: bool(renamed(call) and _MARKER.search(renamed(call)[1]))
