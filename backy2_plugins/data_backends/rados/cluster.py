"""The connection to a cluster, and the pool of a store."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, TypeVar

from backy2_core.api import DataBackendError
from backy2_plugins import ceph_modules
from backy2_plugins.data_backends.rados.failures import Failures, number_of
from backy2_plugins.data_backends.rados.lister import Lister
from backy2_plugins.data_backends.rados.patience import within
from backy2_plugins.data_backends.rados.settings import RadosOptions

T = TypeVar("T")


class Cluster:
    """A connection with one pool open. Threads: all calls may be made at once, except :meth:`close`.

    In a process that was forked off it counts as closed: the threads of the library are in the other one.
    """

    def __init__(self, options: RadosOptions) -> None:
        self.options = options
        self.failures = Failures(options)
        self.module: Any = ceph_modules.load("rados", "data backend rados")
        self.lister = Lister(options, self.failures)
        self._process = os.getpid()
        self._open = False
        self._stuck = False
        self._namespaces: list[Any] = []
        self._connection = self._configured()
        try:
            self._connect()
            self._open = True
            self._pool_id = self.namespace("").get_pool_id()
        except BaseException:
            self.close()
            raise

    def namespace(self, name: str) -> Any:
        """An ``Ioctx`` of the module for the objects of one namespace of the pool; it lives as long as the connection."""
        self.check_open()
        connection, pool = self._connection, self.options.pool
        io = self._within_time(f"open pool {pool}", lambda: connection.open_ioctx(pool))
        self._namespaces.append(io)
        io.set_namespace(name)
        # Else writes to a full pool, and even deletions, wait until it has room again.
        io.set_osdmap_full_try()
        return io

    def check_open(self) -> None:
        """Raise :class:`DataBackendError` if it was closed."""
        if not self._open or self._process != os.getpid():
            raise self.failures.of_closed()

    def check_pool(self) -> None:
        """Raise :class:`DataBackendError` if the pool is gone: of its objects the library then says that they are missing."""
        connection, pool_id = self._connection, self._pool_id
        look = f"look for pool {self.options.pool}"
        if self._within_time(look, lambda: connection.pool_reverse_lookup(pool_id)) is None:
            raise self.failures.of_missing_pool()

    def close(self) -> None:
        """Disconnect; a second time does nothing."""
        connection, self._connection, self._open = self._connection, None, False
        # A thread that is still in the library would be left without what it works on; and a forked process would wait
        # for threads that it does not have.
        if connection is None or self._stuck or self._process != os.getpid():
            return
        self.lister.close()
        # Before the connection: they live in it.
        while self._namespaces:
            self._namespaces.pop().close()
        connection.shutdown()

    def _configured(self) -> Any:
        options = self.options
        try:
            connection = self.module.Rados(name=options.user, clustername=options.cluster)
        except self.module.Error as error:
            raise DataBackendError(
                f"could not make a Ceph client {options.user}: {error}; expected a name like client.backy2 as rados_name"
            ) from error
        try:
            self._configure(connection)
        except BaseException:
            connection.shutdown()
            raise
        return connection

    def _configure(self, connection: Any) -> None:
        options = self.options
        try:
            connection.conf_read_file(options.conf_file)
        except self.module.Error as error:
            raise DataBackendError(
                f"could not read the Ceph configuration {options.conf_file}: {os.strerror(number_of(error))}. Copy it there "
                "from the cluster (`ceph config generate-minimal-conf` prints one), or name another as ceph_conffile."
            ) from error
        for name, value in options.client_options().items():
            try:
                connection.conf_set(name, value)
            except self.module.Error as error:
                raise self.failures.of(number_of(error), f"set {name} to {value}") from error

    def _connect(self) -> None:
        connection = self._connection
        try:
            connection.connect()
        except self.module.Error as error:
            monitors, keyring = (connection.conf_get(name) or "" for name in ("mon_host", "keyring"))
            raise self.failures.of_connecting(number_of(error), monitors, keyring) from error

    def _within_time(self, action: str, call: Callable[[], T]) -> T:
        try:
            return within(self.options.timeout_s, call)
        except self.module.ObjectNotFound as error:
            raise self.failures.of_missing_pool() from error
        except self.module.Error as error:
            raise self.failures.of(number_of(error), action) from error
        except TimeoutError as error:
            self._stuck = True
            raise self.failures.of(errno.ETIMEDOUT, action) from error
        except KeyboardInterrupt:
            self._stuck = True
            raise
