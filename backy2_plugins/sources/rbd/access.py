"""What the configuration says about reaching a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from backy2_core.api import Setting, Settings, SettingType
from backy2_plugins.ceph_options import client_options

ACCESS_SETTINGS: Sequence[Setting] = (
    Setting("ceph_conffile", SettingType.PATH, "/etc/ceph/ceph.conf", "Configuration of the Ceph cluster."),
    Setting("cluster_name", SettingType.TEXT, "ceph", "Name of the cluster, for what that file says by $cluster."),
    Setting("rados_name", SettingType.TEXT, "client.admin", "User of the cluster."),
    Setting("keyring", SettingType.PATH, None, "File with the user's key, where ceph_conffile names none."),
    Setting("connect_timeout", SettingType.DURATION, 30.0, "How long to wait for a monitor at first.", minimum=1),
    Setting("mon_timeout", SettingType.DURATION, 60.0, "How long to wait for an answer of the monitors.", minimum=1),
    Setting(
        "osd_timeout",
        SettingType.DURATION,
        300.0,
        "How long to wait for an OSD. A restart of one should fit in, or it ends the backup.",
        minimum=1,
    ),
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster, and for how long to wait for it."""

    conf_file: str
    cluster_name: str
    user: str
    keyring: str | None
    connect_timeout_s: float
    mon_timeout_s: float
    osd_timeout_s: float

    @classmethod
    def by(cls, settings: Settings) -> Self:
        """From the parsed settings."""
        user = settings["rados_name"]
        return cls(
            conf_file=settings["ceph_conffile"],
            cluster_name=settings["cluster_name"],
            user=user if "." in user else f"client.{user}",
            keyring=settings["keyring"],
            connect_timeout_s=settings["connect_timeout"],
            mon_timeout_s=settings["mon_timeout"],
            osd_timeout_s=settings["osd_timeout"],
        )

    def options(self) -> dict[str, str]:
        """What librados and librbd are told beside the file."""
        options = {
            **client_options(
                connect_s=self.connect_timeout_s, monitors_s=self.mon_timeout_s, osds_s=self.osd_timeout_s
            ),
            # Each block is read or written once, and whole: a cache and reading ahead only cost.
            "rbd_cache": "false",
            "rbd_readahead_max_bytes": "0",
        }
        if self.keyring is not None:
            options["keyring"] = self.keyring
        return options
