"""Fault 6 again: an import that is killed, or that fails late, and what cleanups and checks do with what it left."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from backy2_core.errors import MetaBackendError
from backy2_plugins.meta_backends.sql.backend import SqlMetaBackend
from tests.faults.original import Original, text
from tests.faults.site import DAMAGE, DATA_BACKEND, Site, blocks

CONTENT = blocks(range(1, 301))
KILLED_AT = """
import os, signal, sys
from backy2_core.cli.main import main
from backy2_plugins.meta_backends.sql.backend import SqlMetaBackend
inner = SqlMetaBackend.{method}
def killed(*args, **kwargs):
    {before}
    result = inner(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
    return result
SqlMetaBackend.{method} = killed
sys.exit(main(sys.argv[1:]))
"""


def _killed_import(site: Site, dump: Path, method: str) -> None:
    """An import that dies behind the first call of this method; before that of the last one, which makes it valid."""
    before = "os.kill(os.getpid(), signal.SIGKILL)" if method == "finish_version" else "pass"
    plain, site.command = site.command, [sys.executable, "-c", KILLED_AT.format(method=method, before=before)]
    assert site.run("import", str(dump)).code == -signal.SIGKILL
    site.command = plain
    site.let_leases_run_out()


@pytest.fixture(params=["of-the-original", "of-our-own"])
def dump(request: pytest.FixtureRequest, site: Site) -> tuple[Site, Path, str]:
    """A site with an empty database, a dump of a version whose blobs are in its store, and its uid."""
    path = site.folder / "dump"
    if request.param == "of-the-original":
        original = Original(site.store)
        uid = original.back_up(CONTENT)
        path.write_bytes(text(original.dump(uid)))
        return site, path, uid
    uid = site.backup(CONTENT)
    site.ok("export", "--dump-format", "own", uid, str(path))
    other = Site(site.folder / "other", store=site.store)
    other.ok("initdb")
    return other, path, uid


@pytest.mark.parametrize("method", ["take_over_blobs", "finish_version"])
def test_fault_06_what_a_killed_import_left_takes_no_blob_with_it(method: str, dump: tuple[Site, Path, str]) -> None:
    """In the original an hour later a cleanup deleted what the next, good import would have needed."""
    site, path, uid = dump
    objects = site.objects()
    _killed_import(site, path, method)
    site.configure({"abandon_incomplete_after": "1s"})
    site.execute("UPDATE backy2_versions SET touched = 0, date = 0")
    _check_and_clean(site)
    assert site.objects() == objects
    site.ok("import", str(path))
    site.ok("scrub", uid)
    assert site.restored(uid) == CONTENT


@pytest.mark.parametrize("method", ["append_segments", "finish_version"])
def test_fault_06_what_an_import_that_failed_late_left_takes_no_blob_with_it(
    method: str, dump: tuple[Site, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, where the import ends with an error after it recorded all blobs."""
    site, path, uid = dump
    objects = site.objects()

    def fail(*_: object, **__: object) -> None:
        raise MetaBackendError("the disk of the database is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqlMetaBackend, method, fail)
        assert site.call("import", str(path)).code == MetaBackendError.exit_code
    _check_and_clean(site)
    assert site.objects() == objects
    site.ok("import", str(path))
    site.ok("scrub", uid)
    assert site.restored(uid) == CONTENT


def _check_and_clean(site: Site) -> None:
    """What runs every night, for some nights; a check may well complain of what is not there yet."""
    for _ in range(3):
        assert site.call("check").code in (0, DATA_BACKEND, DAMAGE)
        site.call("cleanup")
        site.call("cleanup", "--full")
