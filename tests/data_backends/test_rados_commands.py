"""The whole program on a store in a Ceph pool, by its command line: back up, restore, scrub, clean up, recover."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from tests.data_backends.rados_stores import MIB
from tests.support.ceph import Cluster

BLOCK = MIB
CONFIG = """\
[backy2]
block_size = {block}
retry_limit = 2s
[data_backend]
type = rados
pool = {pool}
ceph_conffile = {conf}
object_size = {object_size}
timeout = 1s
[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite
"""


class Commands:
    """Runs commands of an installation below ``folder``."""

    def __init__(self, folder: Path, ceph: Cluster, pool: str, object_size: int) -> None:
        self.folder = folder
        self.config = folder / "plugins.cfg"
        text = CONFIG.format(block=BLOCK, pool=pool, conf=ceph.conf, object_size=object_size, folder=folder)
        self.config.write_text(text)
        self.ok("initdb")

    def run(self, *words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--config", str(self.config), *words])
        return code, out.getvalue(), err.getvalue()

    def ok(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert code == 0, err
        return out

    def backup(self, data: bytes) -> str:
        image = self.folder / "image"
        image.write_bytes(data)
        return self.ok("-m", "backup", f"file://{image}", "vm").strip()

    def restored(self, uid: str) -> bytes:
        target = self.folder / f"restored-{random.random()}"
        self.ok("restore", uid, f"file://{target}")
        return target.read_bytes()


def objects(ceph: Cluster, pool: str, namespace: str) -> set[str]:
    return set(ceph.run("rados", "--pool", pool, "--namespace", namespace, "ls").split())


# As whole objects, and all in parts.
@pytest.mark.parametrize("object_size", [32 * MIB, MIB // 3])
def test_versions_come_back_and_leave_nothing_when_removed(ceph: Cluster, tmp_path: Path, object_size: int) -> None:
    pool = ceph.make_pool()
    backy = Commands(tmp_path, ceph, pool, object_size)
    first = random.Random(1).randbytes(7 * BLOCK + 1000)
    second = first[:BLOCK] + random.Random(2).randbytes(BLOCK) + first[2 * BLOCK :]
    uids = [backy.backup(first), backy.backup(second)]
    assert [backy.restored(uid) for uid in uids] == [first, second]
    for uid in uids:
        backy.ok("scrub", uid)
    backy.ok("check")
    assert f"versions/{uids[0]}.json" in objects(ceph, pool, "backy2.documents")

    (tmp_path / "backy2.sqlite").unlink()
    backy.ok("recover")
    assert [backy.restored(uid) for uid in uids] == [first, second]

    for uid in uids:
        backy.ok("rm", "--force", uid)
    for _ in range(2):
        backy.ok("cleanup", "--full")
    assert objects(ceph, pool, "backy2") == set()
    assert objects(ceph, pool, "backy2.parts") == set()


def test_a_damaged_blob_is_found(ceph: Cluster, tmp_path: Path) -> None:
    pool = ceph.make_pool()
    backy = Commands(tmp_path, ceph, pool, 32 * MIB)
    uid = backy.backup(random.Random(1).randbytes(3 * BLOCK))
    name = sorted(objects(ceph, pool, "backy2"))[0]
    (tmp_path / "rotten").write_bytes(os.urandom(BLOCK))
    ceph.run("rados", "--pool", pool, "--namespace", "backy2", "put", name, tmp_path / "rotten")
    code, _, _ = backy.run("scrub", uid)
    assert code == 20


def test_a_dead_cluster_ends_a_command_with_one_message(own_ceph: Cluster, tmp_path: Path) -> None:
    pool = own_ceph.make_pool()
    backy = Commands(tmp_path, own_ceph, pool, 32 * MIB)
    uid = backy.backup(b"data" * BLOCK)
    own_ceph.kill_osd()
    code, _, err = backy.run("scrub", uid)
    assert code == 14
    assert "the cluster did not answer within 1 s; see `ceph -s`" in err
    assert "Traceback" not in err


def test_two_processes_cannot_make_the_same_thing(ceph: Cluster, tmp_path: Path) -> None:
    """Both are on their way at once, each with a connection of its own."""
    pool, script = ceph.make_pool(), tmp_path / "make.py"
    script.write_text(
        "import json, sys\n"
        "from backy2_core.errors import BlobExistsError\n"
        "from backy2_plugins.data_backends.rados.backend import RadosDataBackend\n"
        "from backy2_plugins.data_backends.rados.settings import RadosOptions\n"
        "store, me, made = RadosDataBackend(RadosOptions(sys.argv[2], conf_file=sys.argv[1])), sys.argv[3], []\n"
        "print('ready', flush=True)\n"
        "input()\n"
        "for number in range(100):\n"
        "    made.append(store.create_document(f'd{number}', me.encode()))\n"
        "    try:\n"
        "        store.put(f'uid{number:029}', memoryview(me.encode()))\n"
        "        made.append(True)\n"
        "    except BlobExistsError:\n"
        "        made.append(False)\n"
        "print(json.dumps(made))\n"
    )
    command = [sys.executable, str(script), str(ceph.conf), pool]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([*command, "a"], **pipes) as one,
        subprocess.Popen([*command, "b"], **pipes) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        told = threads.map(lambda process: json.loads(process.communicate("\n")[0]), (one, other))
        made = list(zip(*told, strict=True))
    assert len(made) == 200
    assert all(first != second for first, second in made), "something was made twice, or by none"
