"""Another database over the store of a place: where what was exported comes in again."""

from __future__ import annotations

from backy2_core.exchange.dumps import import_dump
from tests.engine.place import Place
from tests.exchange import dumps
from tests.support.engines import open_database


class Twin(Place):
    """A place with a database of its own and the store of another, which must be open as long."""

    def __init__(self, place, folder):
        folder.mkdir()
        self._place = place
        super().__init__(folder)

    def open(self):
        """Open the database."""
        self.meta = open_database(self.folder)
        self.data = self._place.data
        self.engine = self.engine_with()

    def close(self):
        """Close the database."""
        self.meta.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def take(self, data, hash_name=None):
        """Import a dump."""
        return import_dump(self.engine, dumps.stream(data), "x", hash_name)
