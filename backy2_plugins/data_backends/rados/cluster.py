"""The connection to a cluster, and the pool of a store."""

from __future__ import annotations

import ctypes
import errno
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.rados import library
from backy2_plugins.data_backends.rados.failures import Failures
from backy2_plugins.data_backends.rados.settings import RadosOptions

_QUIET = ("log_to_stderr", "err_to_stderr")
_TIMEOUTS = ("rados_osd_op_timeout", "rados_mon_op_timeout", "client_mount_timeout")
# A client asks where an OSD is now only when one was silent for this share of the time-out: it must come to that before
# the operation is given up, or it would look for an OSD that was started again in its old place for ever.
_SHARES = {"objecter_timeout": (1 / 3, 10.0), "objecter_tick_interval": (1 / 6, 5.0)}
_ROOM = 4096


class Cluster:
    """A connection with one pool open. Threads: all calls may be made at once, except :meth:`close`."""

    def __init__(self, options: RadosOptions) -> None:
        self.options = options
        self.failures = Failures(options)
        self.library: Any = library.load()
        self._handle = self._configured()
        self._open = False
        self._stuck = False
        self._namespaces: list[ctypes.c_void_p] = []
        try:
            self._connect()
            self._open = True
            self._pool_id = int(self.library.rados_ioctx_get_id(self.namespace("")))
        except BaseException:
            self.close()
            raise

    def namespace(self, name: str) -> ctypes.c_void_p:
        """A handle for the objects of one namespace of the pool; it lives as long as the connection."""
        self.check_open()
        io = ctypes.c_void_p()
        pool = self.options.pool.encode()
        code = self._within_time(lambda: int(self.library.rados_ioctx_create(self._handle, pool, ctypes.byref(io))))
        if code == -errno.ENOENT:
            raise self.failures.of_missing_pool()
        if code:
            raise self.failures.of(code, f"open pool {self.options.pool}")
        self._namespaces.append(io)
        self.library.rados_ioctx_set_namespace(io, name.encode())
        # Else writes to a full pool, and even deletions, wait until it has room again.
        self.library.rados_set_osdmap_full_try(io)
        return io

    def check_open(self) -> None:
        """Raise :class:`DataBackendError` if it was closed."""
        if not self._open:
            raise self.failures.of_closed()

    def check_pool(self) -> None:
        """Raise :class:`DataBackendError` if the pool is gone: of its objects the library then says that they are missing."""
        room = ctypes.create_string_buffer(_ROOM)
        code = self._within_time(
            lambda: int(self.library.rados_pool_reverse_lookup(self._handle, self._pool_id, room, _ROOM))
        )
        if code == -errno.ENOENT:
            raise self.failures.of_missing_pool()
        if code < 0:
            raise self.failures.of(code, f"look for pool {self.options.pool}")

    def close(self) -> None:
        """Disconnect; a second time does nothing."""
        handle, self._handle, self._open = self._handle, None, False
        # A thread that is still in the library would be left without what it works on.
        if handle is None or self._stuck:
            return
        for io in self._namespaces:
            self.library.rados_ioctx_destroy(io)
        self.library.rados_shutdown(handle)

    def _configured(self) -> ctypes.c_void_p | None:
        options, handle = self.options, ctypes.c_void_p()
        code = self.library.rados_create2(ctypes.byref(handle), options.cluster.encode(), options.user.encode(), 0)
        if code:
            raise self.failures.of(code, f"make a client {options.user} of cluster {options.cluster}")
        code = self.library.rados_conf_read_file(handle, options.conf_file.encode())
        if code:
            self.library.rados_shutdown(handle)
            raise DataBackendError(
                f"could not read the Ceph configuration {options.conf_file}: {os.strerror(-code)}. Copy it there from the "
                "cluster (`ceph config generate-minimal-conf` prints one), or name another as ceph_conffile."
            )
        for name in _QUIET:
            self.library.rados_conf_set(handle, name.encode(), b"false")
        for name in _TIMEOUTS:
            self.library.rados_conf_set(handle, name.encode(), str(options.timeout_s).encode())
        for name, (share, longest) in _SHARES.items():
            value = f"{min(share * options.timeout_s, longest):.2f}"
            self.library.rados_conf_set(handle, name.encode(), value.encode())
        return handle

    def _connect(self) -> None:
        code = int(self.library.rados_connect(self._handle))
        if code:
            raise self.failures.of_connecting(code, self._setting("mon_host"), self._setting("keyring"))

    def _setting(self, name: str) -> str:
        """What the configuration of the cluster says."""
        text = ctypes.create_string_buffer(_ROOM)
        self.library.rados_conf_get(self._handle, name.encode(), text, _ROOM)
        return text.value.decode(errors="replace")

    def _within_time(self, call: Callable[[], int]) -> int:
        """The code that ``call`` returns, or that of a time-out.

        For what asks the monitors without a time-out of its own: the library waits for ever for a newer map there, where a
        pool is not in the one it has and the monitors are gone.
        """
        codes: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=lambda: codes.put(call()), name="rados-pool", daemon=True).start()
        try:
            return codes.get(timeout=self.options.timeout_s)
        except queue.Empty:
            self._stuck = True
            return -errno.ETIMEDOUT
