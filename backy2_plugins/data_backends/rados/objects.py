"""The objects of one namespace: what is done to one of them is done whole or not at all, and is durable on return."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.rados import pipeline
from backy2_plugins.data_backends.rados.cluster import Cluster
from backy2_plugins.data_backends.rados.library import CREATE_EXCLUSIVE, MAX_ERRNO, address_of

_ROOM = 64 * 1024


class Objects:
    """One namespace of the pool. ``noun`` says in messages what its objects are. Threads: any number at once.

    Every method raises a :class:`backy2_core.api.DataBackendError` that names object and store.
    """

    def __init__(self, cluster: Cluster, namespace: str, noun: str) -> None:
        self.cluster = cluster
        self._noun = noun
        self._io = cluster.namespace(namespace)
        self._library = cluster.library

    @property
    def io(self) -> ctypes.c_void_p:
        """The library's handle of the namespace; raises where the connection was closed."""
        self.cluster.check_open()
        return self._io

    def create(self, name: str, data: memoryview) -> bool:
        """Make an object; False, and nothing is changed, if there is one of that name."""
        with self._writing() as operation:
            view, length = address_of(data)
            self._library.rados_write_op_create(operation, CREATE_EXCLUSIVE, None)
            self._library.rados_write_op_write_full(operation, view, length)
            code = self._operate(operation, name)
        if code == -errno.EEXIST:
            return False
        self._expect(code, "store", name)
        return True

    def replace(self, name: str, data: memoryview) -> None:
        """Write an object, in place of one of that name."""
        with self._writing() as operation:
            view, length = address_of(data)
            self._library.rados_write_op_write_full(operation, view, length)
            code = self._operate(operation, name)
        self._expect(code, "write", name)

    def exchange(self, name: str, old: bytes, new: bytes | None) -> bool:
        """Write ``new`` (None: remove the object) if the object begins with ``old``; else False, and nothing is changed."""
        with self._writing() as operation:
            self._library.rados_write_op_cmpext(operation, old, len(old), 0, None)
            if new is None:
                self._library.rados_write_op_remove(operation)
            else:
                self._library.rados_write_op_write_full(operation, new, len(new))
            code = self._operate(operation, name)
        if code <= -MAX_ERRNO or code == -errno.ENOENT:
            return False
        self._expect(code, "write", name)
        return True

    def read(self, name: str, buffer: memoryview) -> int | None:
        """Read an object's beginning into ``buffer``; its length, which may be larger; None if there is none."""
        size, count, view = ctypes.c_uint64(), ctypes.c_size_t(), address_of(buffer)[0]
        operation = self._library.rados_create_read_op()
        try:
            self._library.rados_read_op_stat(operation, ctypes.byref(size), None, None)
            if view is not None:
                self._library.rados_read_op_read(operation, 0, len(view), view, ctypes.byref(count), None)
            code = self._library.rados_read_op_operate(operation, self.io, name.encode(), 0)
        finally:
            self._library.rados_release_read_op(operation)
        if code == -errno.ENOENT:
            self.cluster.check_pool()
            return None
        self._expect(code, "read", name, reading=True)
        return size.value

    def read_whole(self, name: str) -> bytes | None:
        """The bytes of an object, which should be few; None if there is none."""
        room = _ROOM
        while True:
            buffer = bytearray(room)
            length = self.read(name, memoryview(buffer))
            if length is None or length <= room:
                return None if length is None else bytes(buffer[:length])
            room = length

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Lengths of objects, each None if it is not there."""
        sizes = (ctypes.c_uint64 * len(names))()
        step, unused = ctypes.sizeof(ctypes.c_uint64), (ctypes.c_int64 * len(names))()

        def start(number: int, done: ctypes.c_void_p) -> int:
            size, time = (ctypes.byref(array, number * step) for array in (sizes, unused))
            return int(self._library.rados_aio_stat(self.io, names[number].encode(), done, size, time))

        missing = self._pipelined(names, start, "look at")
        return [None if number in missing else sizes[number] for number in range(len(names))]

    def remove(self, names: Sequence[str]) -> list[str]:
        """Remove objects; the names of those that were not there."""

        def start(number: int, done: ctypes.c_void_p) -> int:
            return int(self._library.rados_aio_remove(self.io, names[number].encode(), done))

        return [names[number] for number in sorted(self._pipelined(names, start, "remove"))]

    def listing_error(self, code: int) -> DataBackendError:
        """What a code of the library means for a listing of all objects; raises where the pool is gone."""
        self.cluster.check_pool()
        return self.cluster.failures.of(code, f"list every {self._noun}")

    def _pipelined(self, names: Sequence[str], start: pipeline.Start, verb: str) -> set[int]:
        """Do all; the places in ``names`` of those that are missing. Raises the first error when all are done."""
        missing: set[int] = set()
        for number, code in pipeline.run(self._library, len(names), start):
            if code == -errno.ENOENT:
                missing.add(number)
            elif code:
                raise self._error(code, verb, names[number])
        if missing:
            self.cluster.check_pool()
        return missing

    @contextmanager
    def _writing(self) -> Iterator[ctypes.c_void_p]:
        operation = ctypes.c_void_p(self._library.rados_create_write_op())
        try:
            yield operation
        finally:
            self._library.rados_release_write_op(operation)

    def _operate(self, operation: ctypes.c_void_p, name: str) -> int:
        code = int(self._library.rados_write_op_operate(operation, self.io, name.encode(), None, 0))
        if code == -errno.ENOENT:
            self.cluster.check_pool()
        return code

    def _expect(self, code: int, verb: str, name: str, *, reading: bool = False) -> None:
        if code < 0:
            raise self._error(code, verb, name, reading=reading)

    def _error(self, code: int, verb: str, name: str, *, reading: bool = False) -> DataBackendError:
        return self.cluster.failures.of(code, f"{verb} {self._noun} {name}", reading=reading)
