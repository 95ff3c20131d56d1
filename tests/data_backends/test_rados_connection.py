"""The connections of the data backend ``rados``: what they need, when they end, and that nothing waits for them for ever."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from backy2_core.errors import DataBackendError, PluginError
from backy2_core.testing.data_backend_base import listed, put_new
from backy2_plugins.ceph_modules import missing
from backy2_plugins.data_backends.rados import backy2_open_data_backend, librados
from backy2_plugins.data_backends.rados.cluster import Cluster as Connection
from backy2_plugins.data_backends.rados.settings import SETTINGS
from tests.data_backends.rados_stores import KIB, MIB, open_store, options
from tests.support.ceph import Cluster

OPEN = """
import os, sys, time
from backy2_core.errors import DataBackendError
from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.settings import RadosOptions

def put(number):
    store.put(f"uid{os.getpid():010}{number}", memoryview(b"x"))

store = RadosDataBackend(RadosOptions(sys.argv[2], conf_file=sys.argv[1]))
put(1)
assert len(list(store.list_blobs())) >= 1
"""
FORK = """
child = os.fork()
if child == 0:
    try:
        put(2)
    except DataBackendError as error:
        print(error, flush=True)
    store.close()
    sys.exit(0)
print("child ended with", os.waitpid(child, 0)[1])
put(3)
store.close()
"""


def run_script(text: str, ceph: Cluster, pool: str) -> str:
    """What the script printed; an error if it failed or took long."""
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, str(ceph.conf), pool]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout


def test_a_missing_module_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rados", None)
    with pytest.raises(PluginError, match=r"data backend rados needs Ceph's module rados, .*python3-rados"):
        backy2_open_data_backend({setting.name: setting.default for setting in SETTINGS})


def test_a_missing_module_is_told_with_the_python_that_it_fits(tmp_path: Path) -> None:
    error = ImportError("No module named 'rados'")
    assert "install the package python3-rados; what is in there fits" in missing("rados", "this", error, tmp_path)
    (tmp_path / "rados.cpython-39-x86_64-linux-gnu.so").touch()
    assert "(package python3-rados) is for Python 3.9; run backy2 with it" in missing("rados", "this", error, tmp_path)


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(librados, "_FILE", "libnot-there.so")
    with pytest.raises(PluginError, match=r"libnot-there\.so.*apt-get install librados2.*python3-rados"):
        librados.load.__wrapped__()


def test_a_forked_process_has_a_closed_store_and_its_parent_an_open_one(ceph: Cluster) -> None:
    told = run_script(OPEN + FORK, ceph, ceph.make_pool())
    assert "was closed; open it again\nchild ended with 0\n" in told


def test_a_program_that_closes_nothing_ends(ceph: Cluster) -> None:
    assert run_script(OPEN, ceph, ceph.make_pool()) == ""


def test_looking_for_a_missing_pool_ends_in_time_without_monitors(own_ceph: Cluster) -> None:
    own_ceph.make_pool("here")
    connection = Connection(options(own_ceph, "here", timeout_s=1))
    own_ceph.kill_mon()
    began = time.monotonic()
    connection.options = options(own_ceph, "nowhere", timeout_s=1)
    with pytest.raises(DataBackendError, match=r"open pool nowhere .*did not answer within 1 s") as raised:
        connection.namespace("")
    assert raised.value.retryable
    connection.close()
    assert time.monotonic() < began + 5


def test_a_listing_that_an_osd_does_not_answer_is_not_taken_for_its_end(own_ceph: Cluster) -> None:
    with open_store(own_ceph, own_ceph.make_pool(), timeout_s=1) as store:
        put_new(store)
        own_ceph.kill_osd()
        for listing in (lambda: listed(store), lambda: list(store.list_documents(""))):
            with pytest.raises(DataBackendError, match=r"list every .*did not answer within 1 s") as raised:
                listing()
            assert raised.value.retryable
        own_ceph.kill_mon()
    with pytest.raises(DataBackendError, match="was closed"):
        listed(store)


def test_a_first_listing_without_monitors_ends_in_time(own_ceph: Cluster) -> None:
    with open_store(own_ceph, own_ceph.make_pool(), timeout_s=1) as store:
        own_ceph.kill_mon()
        with pytest.raises(DataBackendError, match=r"for a listing .*did not answer within 1 s") as raised:
            listed(store)
        assert raised.value.retryable
        put_new(store)
        own_ceph.start_mon()
        assert len(listed(store)) == 1


@pytest.mark.parametrize("size", [0, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 2 * MIB])
def test_documents_of_every_size_come_back(ceph: Cluster, size: int) -> None:
    with open_store(ceph, ceph.make_pool()) as store:
        store.write_document("a", b"#" * size)
        assert store.read_document("a") == b"#" * size


def test_objects_are_from_now(ceph: Cluster) -> None:
    pool = ceph.make_pool()
    with open_store(ceph, pool) as store:
        uid = put_new(store)
    told = ceph.run("rados", "--pool", pool, "--namespace", "backy2", "stat", uid)
    assert f"mtime {time.strftime('%Y')}" in told
