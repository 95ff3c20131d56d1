"""The connection that listings have of their own, since they go through the C library."""

from __future__ import annotations

import ctypes
import errno
import threading

from backy2_plugins.data_backends.rados.failures import Failures
from backy2_plugins.data_backends.rados.librados import load
from backy2_plugins.data_backends.rados.patience import within
from backy2_plugins.data_backends.rados.settings import RadosOptions


class Lister:
    """Connects when it is needed first. Threads: all calls may be made at once, except :meth:`close`."""

    def __init__(self, options: RadosOptions, failures: Failures) -> None:
        self._options = options
        self._failures = failures
        self._lock = threading.Lock()
        self._handle: ctypes.c_void_p | None = None
        self._namespaces: dict[str, ctypes.c_void_p] = {}
        self._stuck = False

    def namespace(self, name: str) -> ctypes.c_void_p:
        """The library's handle of a namespace; it lives as long as the connection."""
        with self._lock:
            if self._handle is None:
                self._handle = self._connected()
            if name not in self._namespaces:
                io = self._opened_pool(self._handle)
                load().rados_ioctx_set_namespace(io, name.encode())
                self._namespaces[name] = io
            return self._namespaces[name]

    def close(self) -> None:
        """Disconnect, if there is a connection."""
        handle, self._handle = self._handle, None
        # A thread that is still in the library would be left without what it works on.
        if handle is None or self._stuck:
            return
        while self._namespaces:
            load().rados_ioctx_destroy(self._namespaces.popitem()[1])
        load().rados_shutdown(handle)

    def _connected(self) -> ctypes.c_void_p:
        options, handle = self._options, ctypes.c_void_p()
        action = f"connect as {options.user} for a listing"
        code = load().rados_create2(ctypes.byref(handle), options.cluster.encode(), options.user.encode(), 0)
        if code:
            raise self._failures.of(-code, action)
        code = load().rados_conf_read_file(handle, options.conf_file.encode())
        for name, value in options.client_options().items():
            code = code or load().rados_conf_set(handle, name.encode(), value.encode())
        code = code or load().rados_connect(handle)
        if code:
            load().rados_shutdown(handle)
            raise self._failures.of(-code, action)
        return handle

    def _opened_pool(self, handle: ctypes.c_void_p) -> ctypes.c_void_p:
        options, io = self._options, ctypes.c_void_p()
        pool = options.pool.encode()
        try:
            code = within(options.timeout_s, lambda: int(load().rados_ioctx_create(handle, pool, ctypes.byref(io))))
        except TimeoutError:
            self._stuck = True
            code = -errno.ETIMEDOUT
        if code == -errno.ENOENT:
            raise self._failures.of_missing_pool()
        if code:
            raise self._failures.of(-code, f"open pool {options.pool} for a listing")
        return io
