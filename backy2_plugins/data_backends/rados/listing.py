"""Walking through a namespace, with no more in memory than a batch of names; what fails can be gone on with."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Self, TypeVar

from backy2_plugins.data_backends.rados.librados import ListedObject, load
from backy2_plugins.data_backends.rados.objects import Objects

T = TypeVar("T")
_BATCH = 1000


class Listing(Iterator[T], Generic[T]):
    """The rows that ``make_rows`` makes of each batch of object names.

    After an error the next row may be asked for again: the walk goes on where it failed, and names nothing twice. One
    thread at a time.
    """

    def __init__(self, objects: Objects, make_rows: Callable[[Sequence[str]], Sequence[T]]) -> None:
        self._objects = objects
        self._make_rows = make_rows
        self._place: _Place | None = None
        self._names: Sequence[str] = ()
        self._rows: deque[T] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while not self._rows:
            if not self._names:
                self._names = self._more()
            self._rows.extend(self._make_rows(self._names))
            self._names = ()
        return self._rows.popleft()

    def _more(self) -> Sequence[str]:
        """The next names; there may be none in a part of the pool. Raises StopIteration behind the last."""
        self._objects.cluster.check_open()
        io, library = self._objects.cluster.lister.namespace(self._objects.namespace), load()
        if self._place is None:
            self._place = _Place(library, library.rados_object_list_begin(io))
        elif library.rados_object_list_is_end(io, self._place.cursor):
            raise StopIteration
        end = _Place(library, library.rados_object_list_end(io))
        following = _Place(library, library.rados_object_list_begin(io))
        found = (ListedObject * _BATCH)()
        count = library.rados_object_list(
            io, self._place.cursor, end.cursor, _BATCH, None, 0, found, ctypes.byref(following.cursor)
        )
        if count < 0:
            raise self._objects.listing_error(count)
        try:
            names = [ctypes.string_at(row.name, row.name_length) for row in found[:count]]
        finally:
            library.rados_object_list_free(count, found)
        self._place = following
        return [name.decode(errors="replace") for name in names]


class _Place:
    """A position in a namespace, owned by this object."""

    def __init__(self, library: Any, cursor: int) -> None:
        self._library = library
        self.cursor = ctypes.c_void_p(cursor)

    def __del__(self) -> None:
        # The library only frees memory here; it does not look at the namespace.
        self._library.rados_object_list_cursor_free(None, self.cursor)
