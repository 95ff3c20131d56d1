"""Ceph's Python modules, as this source loads them."""

from __future__ import annotations

from typing import Any

from backy2_plugins import ceph_modules

_USER = "source rbd"


def rados() -> Any:
    """The module ``rados``. Raises :class:`PluginError` where it is missing."""
    return ceph_modules.load("rados", _USER)


def rbd() -> Any:
    """The module ``rbd``. Raises :class:`PluginError` where it is missing."""
    return ceph_modules.load("rbd", _USER)
