"""Fault 6 in another shape: an import that fails, or is killed, costs the store nothing of the metadata that it keeps."""

from __future__ import annotations

import signal
import sys

import pytest

from backy2_core.errors import MetaBackendError
from backy2_plugins.meta_backends.sql.backend import SqlMetaBackend
from tests.faults.site import Site, blocks
from tests.faults.test_interrupted_imports import KILLED_AT

CONTENT = blocks(range(1, 301))


def _documents(site: Site) -> dict[str, bytes]:
    return {name: data for name, data in site.files().items() if not name.endswith(".blob")}


@pytest.mark.parametrize("how", ["failed", "killed"])
def test_fault_06_a_failed_import_does_not_cost_the_store_its_copy_of_the_metadata(
    how: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = site.backup(CONTENT)
    path = site.folder / "own"
    site.ok("export", "--dump-format", "own", uid, str(path))
    other = Site(site.folder / "other", store=site.store)
    other.ok("initdb")
    documents = _documents(site)

    def fail(*_: object, **__: object) -> None:
        raise MetaBackendError("the disk of the database is full")

    if how == "failed":
        with monkeypatch.context() as patch:
            patch.setattr(SqlMetaBackend, "append_segments", fail)
            assert other.call("import", str(path)).code == 15
    else:
        plain = other.command
        code = KILLED_AT.format(method="append_segments", before="os.kill(os.getpid(), signal.SIGKILL)")
        other.command = [sys.executable, "-c", code]
        assert other.run("import", str(path)).code == -signal.SIGKILL
        other.command = plain
        other.let_leases_run_out()
    for _ in range(3):
        other.call("cleanup", "--full")
    now = _documents(site)
    assert {name: now.get(name) for name in documents} == documents
    # The copy is what a database is made again from.
    other.ok("recover")
    assert other.restored(uid) == CONTENT


def test_fault_06_a_killed_recovery_does_not_cost_the_store_the_copy_that_it_reads(site: Site) -> None:
    """The same root, and worse: here the copy is all that there is of the version."""
    uid = site.backup(CONTENT)
    site.database.unlink()
    documents = _documents(site)
    site.ok("initdb")
    plain = site.command
    code = KILLED_AT.format(method="append_segments", before="os.kill(os.getpid(), signal.SIGKILL)")
    site.command = [sys.executable, "-c", code]
    assert site.run("recover").code == -signal.SIGKILL
    site.command = plain
    site.let_leases_run_out()
    for _ in range(3):
        site.call("cleanup", "--full")
    now = _documents(site)
    assert {name: now.get(name) for name in documents} == documents
    site.ok("recover")
    assert site.restored(uid) == CONTENT
