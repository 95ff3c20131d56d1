"""What the section of this backend may hold, and how its parts hold it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from backy2_core.api import ConfigError, Setting, Settings, SettingType
from backy2_plugins.ceph_options import client_options

_TEXT, _INTEGER = SettingType.TEXT, SettingType.INTEGER
_BANDWIDTH = "Highest number of bytes a second to {}; 0: no limit."
_NAMESPACE = re.compile(r"[0-9A-Za-z_-]{1,64}")

DEFAULT_CONF = "/etc/ceph/ceph.conf"
MIB = 1024 * 1024

SETTINGS: tuple[Setting, ...] = (
    Setting("pool", _TEXT, "backy2", "Pool of the store, which must exist; replicated or erasure coded."),
    Setting(
        "namespace",
        _TEXT,
        "backy2",
        "RADOS namespace of the blobs. Documents and parts of large blobs have NAMESPACE.documents and NAMESPACE.parts.",
    ),
    Setting("ceph_conffile", SettingType.PATH, DEFAULT_CONF, "Configuration file of the cluster."),
    Setting("cluster_name", _TEXT, "ceph", "Name of the cluster; part of the path of its keyrings."),
    Setting("rados_name", _TEXT, "client.admin", "Ceph user, such as client.backy2."),
    Setting(
        "timeout",
        SettingType.DURATION,
        30.0,
        "Longest wait for the cluster in one operation. What fails is tried again, see retry_limit in section [backy2].",
        minimum=1,
    ),
    Setting(
        "object_size",
        _INTEGER,
        32 * MIB,
        "Largest object. Blobs that are larger are stored in parts. Must not be above osd_max_write_size.",
        minimum=64 * 1024,
    ),
    Setting("simultaneous_reads", _INTEGER, 8, "Blobs to read at once.", minimum=1),
    Setting("simultaneous_writes", _INTEGER, 8, "Blobs to write at once.", minimum=1),
    Setting("bandwidth_read", _INTEGER, 0, _BANDWIDTH.format("read"), minimum=0),
    Setting("bandwidth_write", _INTEGER, 0, _BANDWIDTH.format("write"), minimum=0),
)
"""Every setting, in the order of the example."""


@dataclass(frozen=True, slots=True)
class RadosOptions:
    """Where the store is, who we are there, and how long to wait (whole seconds). ``object_size`` is in bytes."""

    pool: str
    namespace: str = "backy2"
    conf_file: str = DEFAULT_CONF
    cluster: str = "ceph"
    user: str = "client.admin"
    timeout_s: int = 30
    object_size: int = 32 * MIB
    threads: int = 8

    @property
    def location(self) -> str:
        """The store for messages, and for being known again."""
        return f"rados://{self.pool}/{self.namespace}"

    def client_options(self) -> dict[str, str]:
        """What the library is told beside the configuration file of the cluster."""
        return client_options(connect_s=self.timeout_s, monitors_s=self.timeout_s, osds_s=self.timeout_s)


def options_of(settings: Settings) -> RadosOptions:
    """The options that the settings mean; raises :class:`ConfigError` for a namespace or a user that cannot be one."""
    namespace, user = settings["namespace"], settings["rados_name"]
    if not _NAMESPACE.fullmatch(namespace):
        # A dot would let the parts of one store be the blobs of another.
        raise ConfigError(
            f"Section [data_backend], key namespace: {namespace!r} cannot be one; expected 1 to 64 letters, digits, _ or -."
        )
    return RadosOptions(
        pool=settings["pool"],
        namespace=namespace,
        conf_file=settings["ceph_conffile"],
        cluster=settings["cluster_name"],
        user=user if "." in user else f"client.{user}",
        timeout_s=math.ceil(settings["timeout"]),
        object_size=settings["object_size"],
        threads=max(settings["simultaneous_reads"], settings["simultaneous_writes"]),
    )
