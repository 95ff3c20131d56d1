"""The objects of one namespace: what is done to one of them is done whole or not at all, and is durable on return."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from typing import Any

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.rados import pipeline
from backy2_plugins.data_backends.rados.cluster import Cluster
from backy2_plugins.data_backends.rados.failures import number_of

_ROOM = 64 * 1024
_DIFFERS = 4095
"""Error numbers from here on say at which byte a comparison found the first difference."""


class Objects:
    """One namespace of the pool. ``noun`` says in messages what its objects are. Threads: any number at once.

    Every method raises a :class:`backy2_core.api.DataBackendError` that names object and store.
    """

    def __init__(self, cluster: Cluster, namespace: str, noun: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._noun = noun
        self._io = cluster.namespace(namespace)
        self._rados = cluster.module

    @property
    def io(self) -> Any:
        """The module's ``Ioctx`` of the namespace; raises where the connection was closed."""
        self.cluster.check_open()
        return self._io

    def create(self, name: str, data: memoryview) -> bool:
        """Make an object; False, and nothing is changed, if there is one of that name."""
        try:
            with self._rados.WriteOpCtx() as operation:
                operation.new(self._rados.LIBRADOS_CREATE_EXCLUSIVE)
                operation.write_full(_as_bytes(data))
                self._operate(operation, name)
        except self._rados.ObjectExists:
            return False
        except self._rados.Error as error:
            raise self._error(number_of(error), "store", name) from error
        return True

    def replace(self, name: str, data: memoryview) -> None:
        """Write an object, in place of one of that name."""
        try:
            with self._rados.WriteOpCtx() as operation:
                operation.write_full(_as_bytes(data))
                self._operate(operation, name)
        except self._rados.Error as error:
            raise self._error(number_of(error), "write", name) from error

    def exchange(self, name: str, old: bytes, new: bytes | None) -> bool:
        """Write ``new`` (None: remove the object) if the object begins with ``old``; else False, and nothing is changed."""
        try:
            with self._rados.WriteOpCtx() as operation:
                operation.cmpext(old, 0)
                operation.remove() if new is None else operation.write_full(new)
                self._operate(operation, name)
        except self._rados.ObjectNotFound:
            self.cluster.check_pool()
            return False
        except self._rados.Error as error:
            if number_of(error) >= _DIFFERS:
                return False
            raise self._error(number_of(error), "write", name) from error
        return True

    def read(self, name: str, buffer: memoryview) -> int | None:
        """Read an object's beginning into ``buffer``; its length, which may be larger; None if there is none."""
        # One byte more than there is room for tells whether that is all.
        data = self._read(name, len(buffer) + 1)
        if data is None:
            return None
        if len(data) > len(buffer):
            return self.sizes([name])[0]
        buffer[: len(data)] = data
        return len(data)

    def read_whole(self, name: str) -> bytes | None:
        """The bytes of an object, which should be few; None if there is none."""
        room = _ROOM
        while True:
            data = self._read(name, room)
            if data is None or len(data) < room:
                return data
            room *= 16

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Lengths of objects, each None if it is not there."""
        sizes: dict[int, int] = {}

        def start(number: int) -> Any:
            # The time is that of the last change.
            def tell(_done: Any, size: int, _time: Any) -> None:
                sizes[number] = size

            return self.io.aio_stat(names[number], tell)

        missing = self._pipelined(names, start, "look at")
        return [None if number in missing else sizes[number] for number in range(len(names))]

    def remove(self, names: Sequence[str]) -> list[str]:
        """Remove objects; the names of those that were not there."""
        missing = self._pipelined(names, lambda number: self.io.aio_remove(names[number]), "remove")
        return [names[number] for number in sorted(missing)]

    def listing_error(self, code: int) -> DataBackendError:
        """What a negative code of the library means for a listing of all objects; raises where the pool is gone."""
        self.cluster.check_pool()
        return self.cluster.failures.of(-code, f"list every {self._noun}")

    def _operate(self, operation: Any, name: str) -> None:
        # With 0 in place of the time, objects would be from 1970.
        self.io.operate_write_op(operation, name, int(time.time()))

    def _read(self, name: str, length: int) -> bytes | None:
        """At most ``length`` bytes, 1 or more: the library takes none for all."""
        try:
            data: bytes = self.io.read(name, length)
        except self._rados.ObjectNotFound:
            self.cluster.check_pool()
            return None
        except self._rados.Error as error:
            raise self._error(number_of(error), "read", name, reading=True) from error
        return data

    def _pipelined(self, names: Sequence[str], start: pipeline.Start, verb: str) -> set[int]:
        """Do all; the places in ``names`` of those that are missing. Raises the first error when all are done."""
        missing: set[int] = set()
        for number, code in pipeline.run(self._rados, len(names), start):
            if code == errno.ENOENT:
                missing.add(number)
            elif code:
                raise self._error(code, verb, names[number])
        if missing:
            self.cluster.check_pool()
        return missing

    def _error(self, number: int, verb: str, name: str, *, reading: bool = False) -> DataBackendError:
        if number == errno.ENOENT:
            self.cluster.check_pool()
        return self.cluster.failures.of(number, f"{verb} {self._noun} {name}", reading=reading)


def _as_bytes(data: memoryview) -> bytes:
    """The same bytes as the one type that the module takes; copied, unless they are a whole ``bytes`` object already."""
    whole = data.obj
    if type(whole) is bytes and data.c_contiguous and data.nbytes == len(whole):
        return whole
    return bytes(data)
