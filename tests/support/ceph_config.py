"""What the throwaway Ceph cluster is told, and what a machine needs to run one."""

from __future__ import annotations

import importlib.util
import random
import shutil
import sys
from pathlib import Path

from tests.support.ceph_daemon import HOST, OTHER_PORTS

PROGRAMS = {"ceph-mon": "ceph-mon", "ceph-osd": "ceph-osd", "rbd": "ceph-common", "setpriv": "util-linux"}
GATEWAY_PROGRAMS = {"radosgw": "radosgw", "radosgw-admin": "ceph-common"}
BINDINGS = ("rados", "rbd")
_PORTS_OF_AN_OSD = 64
_SMALL = 8

_CONF = """\
[global]
fsid = {fsid}
mon_host = v2:{host}:{port}
public_addr = {host}
cluster_addr = {host}
ms_bind_msgr1 = false
ms_bind_port_min = {first_port}
ms_bind_port_max = {last_port}
auth_cluster_required = {auth}
auth_service_required = {auth}
auth_client_required = {auth}
# Without it, radosgw hangs for five minutes where nobody has to prove who it is.
ms_mon_client_mode = crc secure
run_dir = {folder}
crash_dir = {folder}
admin_socket = {folder}/$name.$pid.asok
log_file = {folder}/$name.log
log_to_stderr = false
err_to_stderr = true
mon_cluster_log_file = {folder}/cluster.log

# One daemon of a kind, and maps that change at once.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = {small}
osd_pool_default_pgp_num = {small}
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 10000
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
# The default makes every opening and closing of the block device sleep for a quarter of a second.
bdev_aio_poll_ms = 10
bluestore_block_size = {size_bytes}
osd_failsafe_full_ratio = .995
# What a killed client held is free again after this long.
osd_client_watch_timeout = 5
mon_data_avail_warn = 1
mon_data_avail_crit = 0

[client]
keyring = {keyring}
log_file =
admin_socket =
client_mount_timeout = 30
# A client asks for a new map this soon when an OSD is silent: it finds one that was started again after 2 s, not 15.
objecter_timeout = 1
objecter_tick_interval = 0.5

[mon]
mon_data = {folder}/mon
keyring = {keyring}

[osd]
osd_data = {folder}/osd
keyring = {keyring}
"""


def ceph_conf(folder: Path, keyring: Path, *, fsid: str, port: int, cephx: bool, size_bytes: int) -> str:
    """The text of ``ceph.conf``."""
    first_port = random.choice(OTHER_PORTS[::_PORTS_OF_AN_OSD])
    return _CONF.format(
        fsid=fsid,
        host=HOST,
        port=port,
        folder=folder,
        keyring=keyring,
        auth="cephx" if cephx else "none",
        first_port=first_port,
        last_port=first_port + _PORTS_OF_AN_OSD - 1,
        size_bytes=size_bytes,
        small=_SMALL,
    )


def what_is_missing(*, radosgw: bool = False) -> str | None:
    """One line about what this machine lacks for a cluster, and how to get it; None if it lacks nothing."""
    wanted = PROGRAMS | (GATEWAY_PROGRAMS if radosgw else {})
    missing = [program for program in wanted if shutil.which(program) is None]
    if missing:
        packages = " ".join(dict.fromkeys(wanted[program] for program in missing))
        return f"the programs {', '.join(missing)} are missing; they come with: apt-get install {packages}"
    if all(importlib.util.find_spec(name) for name in BINDINGS):
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"Ceph's modules rados and rbd are missing in this Python {version}; for the Python of the system they come with: "
        "apt-get install python3-rados python3-rbd, and .ci/set_up test then links them into .venv"
    )
