"""Stores in pools of a real Ceph cluster, as the tests open them."""

from __future__ import annotations

from typing import Any

from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.settings import RadosOptions
from tests.support.ceph import Cluster

KIB = 1024
MIB = 1024 * KIB


def options(cluster: Cluster, pool: str, **more: Any) -> RadosOptions:
    """The options of a store in this pool."""
    return RadosOptions(pool=pool, conf_file=str(cluster.conf), **more)


def open_store(cluster: Cluster, pool: str, **more: Any) -> RadosDataBackend:
    """The store in this pool, open."""
    return RadosDataBackend(options(cluster, pool, **more))
