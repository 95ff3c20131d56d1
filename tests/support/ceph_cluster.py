"""A throwaway Ceph cluster: a monitor, an OSD and, where asked for, an S3 gateway, in a folder and on ports of its own.

It needs Debian's packages, no root, no service and no configuration of the machine. It takes about a second to make.
Several may run side by side. Its daemons end with the process that made it, however that ends.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tests.support.ceph_config import ceph_conf
from tests.support.ceph_daemon import HOST, PATIENCE_S, Daemon, free_port, wait_for_port
from tests.support.ceph_gateway import Gateway

GIB = 2**30
# Waits for the end of this process, gives the daemons time to be gone, and removes what a killed process cannot.
_SWEEPER = "trap '' INT TERM HUP; read nothing; sleep 1; rm -rf \"$1\""
_SECTIONS = {
    "mon.": 'caps mon = "allow *"',
    "client.admin": 'caps mon = "allow *"\n\tcaps osd = "allow *"\n\tcaps mgr = "allow *"',
    "osd.0": 'caps mon = "allow profile osd"\n\tcaps osd = "allow *"',
}


class ProgramFailed(Exception):
    """A program of Ceph did not end well; the text is what it said."""


class Cluster:
    """A running cluster. Use it as a context manager, or close it; any thread may call its methods, one at a time.

    ``cephx``: clients have to prove who they are, and may do what their caps allow; without it, all may do anything.
    ``size_bytes``: what the OSD can hold; its file is sparse.
    """

    def __init__(self, *, radosgw: bool = False, cephx: bool = False, size_bytes: int = 64 * GIB) -> None:
        # Not in pytest's folder: the path of a socket must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="backy2-ceph-"))
        self.conf = self.folder / "ceph.conf"
        self.keyring = self.folder / "keyring"
        self._port = free_port()
        self._fsid = str(uuid.uuid4())
        self._pools = itertools.count(1)
        self._undo = ExitStack()
        self._undo.callback(self._remove_folder, _sweeper(self.folder))
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="ceph-starter")
        self._undo.callback(self._starter.shutdown)
        self._mon = self._daemon("ceph-mon", "--id", "a")
        self._osd = self._daemon("ceph-osd", "--id", "0")
        try:
            self._write_conf(cephx=cephx, size_bytes=size_bytes)
            self._make()
            if radosgw:
                _ = self.radosgw
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and remove all that it left. Images must be closed before."""
        self._undo.close()

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run a client of Ceph (rbd, rados, ceph, radosgw-admin) on this cluster; return what it printed.

        Raises :class:`ProgramFailed` if it ends with another code than 0.
        """
        return _run(program, "--conf", self.conf, *arguments)

    def rados(self, user: str = "admin", **options: str) -> Any:
        """A new connected :class:`rados.Rados`; shut down with the cluster at the latest. Needs the module rados."""
        import rados

        handle = rados.Rados(conffile=str(self.conf), rados_id=user, conf=options)
        handle.connect()
        self._undo.callback(handle.shutdown)
        return handle

    def make_pool(self, name: str | None = None) -> str:
        """Make an empty pool for RBD images or objects; return its name."""
        name = name or f"pool{next(self._pools)}"
        self.order("osd pool create", pool=name, size=1, yes_i_really_mean_it=True)
        self.order("osd pool application enable", pool=name, app="rbd")
        return name

    def make_user(self, name: str, caps: Mapping[str, str]) -> Path:
        """Make a user like ``client.x`` with caps like ``{"mon": "profile rbd"}``; return the path of his keyring."""
        pairs = list(itertools.chain.from_iterable(caps.items()))
        keyring = self.folder / f"{name}.keyring"
        keyring.write_bytes(self.order("auth get-or-create", entity=name, caps=pairs))
        return keyring

    def order(self, prefix: str, **arguments: Any) -> bytes:
        """Give an order to the monitor, as ``ceph`` would, and return its answer."""
        import rados

        patience = str(int(PATIENCE_S))
        conf = {"rados_mon_op_timeout": patience, "client_mount_timeout": patience}
        handle = rados.Rados(conffile=str(self.conf), conf=conf)
        handle.connect()
        try:
            code, answer, complaint = handle.mon_command(json.dumps({"prefix": prefix, **arguments}), b"")
        finally:
            handle.shutdown()
        if code:
            raise ProgramFailed(f"{prefix} {arguments}: {complaint}")
        return bytes(answer)

    def kill_mon(self) -> None:
        """Kill the monitor with SIGKILL."""
        self._mon.kill()

    def start_mon(self) -> None:
        """Start the monitor again, and wait until it answers."""
        self._mon.start()
        wait_for_port(self._port, self._mon)
        self.order("mon stat")

    def kill_osd(self) -> None:
        """Kill the OSD with SIGKILL."""
        self._osd.kill()

    def start_osd(self) -> None:
        """Start the OSD again, and wait until the monitor knows that it is back."""
        before = self._osd_up_from()
        self._osd.start()
        deadline = time.monotonic() + PATIENCE_S
        while self._osd_up_from() == before:
            self._osd.check(deadline)

    @property
    def pids(self) -> list[int]:
        """The process ids of monitor and OSD."""
        return [self._mon.pid, self._osd.pid]

    @cached_property
    def radosgw(self) -> Gateway:
        """The S3 gateway; started when it is asked for first."""
        gateway = Gateway(self._starter, self.folder, self.conf, self.run)
        self._undo.callback(gateway.kill)
        return gateway

    def _write_conf(self, *, cephx: bool, size_bytes: int) -> None:
        text = ceph_conf(
            self.folder, self.keyring, fsid=self._fsid, port=self._port, cephx=cephx, size_bytes=size_bytes
        )
        self.conf.write_text(text)
        sections = [
            f"[{name}]\n\tkey = {_run('ceph-authtool', '--gen-print-key').strip()}\n\t{caps}\n"
            for name, caps in _SECTIONS.items()
        ]
        self.keyring.write_text("".join(sections))

    def _make(self) -> None:
        """From the configuration to an OSD that is up."""
        monmap, secrets, osd_uuid = self.folder / "monmap", self.keyring, str(uuid.uuid4())
        address = f"[v2:{HOST}:{self._port}]"
        _run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap)
        for name in ("mon", "osd"):
            (self.folder / name).mkdir()
        self.run("ceph-mon", "--mkfs", "--id", "a", "--monmap", monmap, "--keyring", secrets)
        self._mon.start()
        # The monitor is busy with its own start meanwhile.
        self.run("ceph-osd", "--mkfs", "--no-mon-config", "--id", "0", "--osd-uuid", osd_uuid, "--monmap", monmap)
        wait_for_port(self._port, self._mon)
        self.order("osd new", uuid=osd_uuid)
        self.start_osd()

    def _daemon(self, program: str, *options: str) -> Daemon:
        daemon = Daemon(self._starter, [program, "-f", "--conf", self.conf, *options], self.folder / f"{program}.out")
        self._undo.callback(daemon.kill)
        return daemon

    def _osd_up_from(self) -> int:
        """The number of the map in which the OSD came up last; 0 before the first time."""
        dump = json.loads(self.order("osd dump", format="json"))
        return next((int(osd["up_from"]) for osd in dump["osds"]), 0)

    def _remove_folder(self, sweeper: subprocess.Popen[bytes]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        sweeper.kill()
        sweeper.communicate()


def _run(program: str, *arguments: str | Path) -> str:
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramFailed(f"{' '.join(command)} ended with exit code {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def _sweeper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sh", "-c", _SWEEPER, "sh", folder], stdin=subprocess.PIPE, start_new_session=True)
