"""The throwaway cluster does what tests rely on: it is real, alone, quick to be back after a kill, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.support import ceph_config
from tests.support.ceph import Cluster, ProgramFailed, skip_without_ceph

KIB = 1024
MIB = 1024 * KIB
PATIENCE_S = 30.0
USES_A_CLUSTER_AND_WAITS = """
import sys
from tests.support.ceph_cluster import Cluster
with Cluster() as cluster:
    print(cluster.folder, *cluster.pids, flush=True)
    sys.stdin.read()
"""


class TestOneCluster:
    def test_an_image_that_is_written_is_read_back(self, ceph: Cluster) -> None:
        import rbd

        pool = ceph.make_pool()
        ceph.run("rbd", "create", "--size", "8M", f"{pool}/vm1")
        handle = ceph.rados()
        with handle.open_ioctx(pool) as ioctx, rbd.Image(ioctx, "vm1") as image:
            image.write(b"written" * KIB, MIB)
        handle.shutdown()
        exported = ceph.folder / "vm1"
        ceph.run("rbd", "export", f"{pool}/vm1", exported)
        content = exported.read_bytes()
        assert content[MIB:][: 7 * KIB] == b"written" * KIB
        assert len(content) == 8 * MIB

    def test_pools_have_names_of_their_own(self, ceph: Cluster) -> None:
        made = {ceph.make_pool(), ceph.make_pool(), ceph.make_pool("vms")}
        assert len(made) == 3
        assert made <= set(ceph.run("rados", "lspools").split())

    def test_a_program_that_fails_says_why(self, ceph: Cluster) -> None:
        with pytest.raises(ProgramFailed, match="No such file"):
            ceph.run("rbd", "info", f"{ceph.make_pool()}/missing")

    def test_a_gateway_keeps_objects(self, ceph_with_radosgw: Cluster) -> None:
        boto3 = pytest.importorskip("boto3")
        gateway = ceph_with_radosgw.radosgw
        bucket = gateway.make_bucket()
        keys = {"aws_access_key_id": gateway.access_key, "aws_secret_access_key": gateway.secret_key}
        client = boto3.client("s3", endpoint_url=gateway.endpoint, region_name="default", **keys)
        client.put_object(Bucket=bucket, Key="blob", Body=b"content")
        gateway.kill()
        gateway.start()
        assert client.get_object(Bucket=bucket, Key="blob")["Body"].read() == b"content"
        client.close()


def test_a_killed_osd_comes_back_with_its_data(own_ceph: Cluster) -> None:
    pool = own_ceph.make_pool()
    content = own_ceph.folder / "content"
    content.write_bytes(bytes(range(256)) * KIB)
    own_ceph.run("rados", "--pool", pool, "put", "blob", content)
    own_ceph.kill_osd()
    own_ceph.start_osd()
    own_ceph.kill_mon()
    own_ceph.start_mon()
    again = own_ceph.folder / "again"
    own_ceph.run("rados", "--pool", pool, "get", "blob", again)
    assert again.read_bytes() == content.read_bytes()


def test_a_client_goes_on_seconds_after_a_daemon_is_back(own_ceph: Cluster) -> None:
    handle = own_ceph.rados()
    with handle.open_ioctx(own_ceph.make_pool()) as ioctx:
        ioctx.write_full("blob", b"before")
        own_ceph.kill_osd()
        own_ceph.kill_mon()
        own_ceph.start_mon()
        own_ceph.start_osd()
        begin = time.monotonic()
        assert ioctx.read("blob") == b"before"
        ioctx.write_full("blob", b"after")
        assert time.monotonic() - begin < 10
    handle.shutdown()


def test_an_osd_outlives_the_thread_that_started_it(own_ceph: Cluster) -> None:
    pool = own_ceph.make_pool()
    own_ceph.kill_osd()
    thread = threading.Thread(target=own_ceph.start_osd)
    thread.start()
    thread.join()
    own_ceph.run("rbd", "create", "--size", "1M", f"{pool}/vm1")
    assert all(_runs(pid) for pid in own_ceph.pids)


def test_clusters_side_by_side_do_not_see_each_other(own_ceph: Cluster) -> None:
    with Cluster() as other:
        own_ceph.make_pool("mine")
        other.make_pool("yours")
        assert "mine" in own_ceph.run("rados", "lspools").split()
        assert "mine" not in other.run("rados", "lspools").split()
        folder, pids = other.folder, other.pids
    assert not folder.exists()
    assert not any(_runs(pid) for pid in pids)
    assert "yours" not in own_ceph.run("rados", "lspools").split()


def test_a_cluster_is_gone_when_its_process_is_killed() -> None:
    skip_without_ceph()
    command = [sys.executable, "-c", USES_A_CLUSTER_AND_WAITS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder, *pids = process.stdout.readline().split()
        assert len(pids) == 2
        assert all(_runs(int(pid)) for pid in pids)
        process.kill()
    deadline = time.monotonic() + PATIENCE_S
    while Path(folder).exists() or any(_runs(int(pid)) for pid in pids):
        assert time.monotonic() < deadline, "daemons or files are left"
        time.sleep(0.05)


def test_a_user_with_few_caps_is_refused_more() -> None:
    skip_without_ceph()
    import rados

    with Cluster(cephx=True) as cluster:
        pool = cluster.make_pool()
        caps = {"mon": "profile rbd", "osd": f"profile rbd-read-only pool={pool}"}
        keyring = cluster.make_user("client.reader", caps)
        me = ("--id", "reader", "--keyring", keyring)
        cluster.run("rbd", "create", "--size", "1M", f"{pool}/vm1")
        assert cluster.run("rbd", *me, "ls", pool).split() == ["vm1"]
        with pytest.raises(ProgramFailed, match="Operation not permitted"):
            cluster.run("rbd", *me, "create", "--size", "1M", f"{pool}/vm2")
        with pytest.raises(ProgramFailed, match="Operation not permitted"):
            cluster.run("rbd", *me, "ls", cluster.make_pool())
        with pytest.raises(ProgramFailed):
            cluster.run("rbd", "--id", "stranger", "--keyring", cluster.keyring, "ls", pool)
        handle = cluster.rados("reader", keyring=str(keyring))
        with handle.open_ioctx(pool) as ioctx, pytest.raises(rados.PermissionError):
            ioctx.write_full("blob", b"content")


def test_one_line_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ceph_config.PROGRAMS, "ceph-nothing", "ceph-nothing-package")
    told = ceph_config.what_is_missing()
    assert told is not None
    assert "\n" not in told
    assert "ceph-nothing " in told
    assert told.endswith("ceph-nothing-package")


def test_one_line_says_that_this_python_lacks_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceph_config, "PROGRAMS", {})
    monkeypatch.setattr(ceph_config, "BINDINGS", ("rados_of_another_python",))
    told = ceph_config.what_is_missing()
    assert told is not None
    assert "\n" not in told
    assert "apt-get install python3-rados python3-rbd" in told


def _runs(pid: int) -> bool:
    """Whether a process of that id is there and is more than a dead one that nobody waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
