"""Documents: small named files below ``<url>/backy2/``, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from backy2_core.api import DataBackendError
from backy2_fsspec.connections import Connections
from backy2_fsspec.dialects.base import Entry
from backy2_fsspec.layout import DOCUMENT_FOLDER, document_path


class Documents:
    """The documents of one open store. Threads: all methods may be called from several threads at once."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._dialect = connections.dialect

    def write(self, name: str, data: bytes) -> None:
        """Store a document, replacing one of that name."""
        path, action = self._path(name), f"write document {name}"
        with self._connections.translated(action):
            try:
                with self._connections.use(action) as fs:
                    self._dialect.replace(fs, path, memoryview(data))
            except FileExistsError as error:
                raise DataBackendError(
                    f"cannot write document {name} in {self._connections.location}: this filesystem does not replace a "
                    "file by renaming another; it cannot hold a store"
                ) from error
            self._dialect.flush()

    def create(self, name: str, data: bytes) -> bool:
        """Store a document if there is none of that name; True if this call made it."""
        path, action = self._path(name), f"create document {name}"
        with self._connections.translated(action):
            try:
                with self._connections.use(action) as fs:
                    self._dialect.create(fs, path, memoryview(data))
            except FileExistsError:
                return False
            self._dialect.flush()
        return True

    def read(self, name: str) -> bytes | None:
        """The document, or None. One that is replaced by a longer one meanwhile is read again."""
        path = self._path(name)
        while True:
            try:
                with self._connections.use(f"read document {name}") as fs:
                    # One byte more than it has: if that is filled too, the size was that of an older one.
                    buffer = bytearray(self._dialect.size_of(fs, path) + 1)
                    count = self._dialect.read_into(fs, path, memoryview(buffer))
            except FileNotFoundError:
                self._check_root()
                return None
            if count < len(buffer):
                return bytes(buffer[:count])

    def names(self, prefix: str) -> Iterator[str]:
        """Names that begin with ``prefix``; only folders that can hold such are looked into."""
        return self._walk("", prefix)

    def delete(self, name: str) -> None:
        """Delete a document; one that is not there is no error."""
        path, action = self._path(name), f"delete document {name}"
        with self._connections.translated(action):
            try:
                with self._connections.use(action) as fs:
                    self._dialect.size_of(fs, path)  # a folder of that name is no document
                    self._dialect.remove(fs, path)
            except FileNotFoundError:
                self._check_root()
            self._dialect.flush()

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        for entry in self._entries(folder):
            name = folder + entry.path.rpartition("/")[2]
            if entry.is_folder:
                if name.startswith(prefix) or prefix.startswith(name + "/"):
                    yield from self._walk(name + "/", prefix)
            elif name.startswith(prefix):
                yield name

    def _entries(self, folder: str) -> list[Entry]:
        path = f"{self._dialect.root}/{DOCUMENT_FOLDER}/{folder}".rstrip("/")
        try:
            with self._connections.use(f"list documents in {folder or 'all folders'}") as fs:
                return self._dialect.entries(fs, path)
        except FileNotFoundError:
            self._check_root()
            return []

    def _path(self, name: str) -> str:
        return f"{self._dialect.root}/{document_path(name)}"

    def _check_root(self) -> None:
        with self._connections.translated("find the store"), self._connections.use("find the store") as fs:
            self._dialect.check_root(fs)
