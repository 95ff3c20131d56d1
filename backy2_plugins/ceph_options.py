"""What every client of a Ceph cluster is told beside the cluster's configuration file: to be quiet, and never to hang."""

from __future__ import annotations

# A client asks where an OSD is now only when one was silent for this share of the time-out: it must come to that before
# the operation is given up, or it would look for an OSD that was started again in its old place for ever.
_SHARES = {"objecter_timeout": (1 / 3, 10.0), "objecter_tick_interval": (1 / 6, 5.0)}


def client_options(*, connect_s: float, monitors_s: float, osds_s: float) -> dict[str, str]:
    """Options of the library by name: how long to wait for a connection, for an answer of the monitors, and of an OSD."""
    options = {
        # Errors that are handled here are printed by the library all the same, unless told so.
        "log_to_stderr": "false",
        "err_to_stderr": "false",
        "client_mount_timeout": _seconds(connect_s),
        "rados_mon_op_timeout": _seconds(monitors_s),
        "rados_osd_op_timeout": _seconds(osds_s),
    }
    for name, (share, longest) in _SHARES.items():
        options[name] = f"{min(share * osds_s, longest):.2f}"
    return options


def _seconds(duration_s: float) -> str:
    """Whole seconds, which every release of Ceph takes; never 0, which means to wait for ever."""
    return str(max(1, round(duration_s)))
