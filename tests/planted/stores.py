"""Two correct data backends whose pieces can be broken one by one: one in memory that can be out of reach, one of files."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore

PASSWORD = "open-sesame-4711"
SILENCE_S = 0.3


@dataclass(slots=True)
class DistantStore(MemoryStore):
    """A store in memory that is out of reach while ``away`` is set."""

    away: bool = False


class Reference(MemoryDataBackend):
    """Keeps every promise. ``server`` is a host and port that it asks before each call, as a client would."""

    def __init__(self, store: DistantStore | None = None, server: tuple[str, int] | None = None) -> None:
        self.distant = store or DistantStore()
        self.server = server
        self.password = PASSWORD
        super().__init__(self.distant, capabilities=self.declared())

    def declared(self) -> DataCapabilities:
        return DataCapabilities(resumes_listings=True)

    def list_blobs(self) -> Iterator[StoredBlob]:
        return Rows(self, list(super().list_blobs()))

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, list(super().list_documents(prefix)))

    def ask(self) -> None:
        """Ask the server, if there is one; it must answer in time."""
        if self.server is not None:
            with contextlib.closing(socket.create_connection(self.server, self.patience_s())) as connection:
                connection.sendall(b"?")
                connection.recv(1)

    def patience_s(self) -> float:
        return SILENCE_S

    def unreachable(self, error: Exception | None = None) -> Exception:
        return DataBackendError(f"{self.location} cannot be reached: {error}", retryable=True)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[MemoryStore]:
        if not self._closed:
            try:
                self.ask()
            except OSError as error:
                raise self.unreachable(error) from error
            if self.distant.away:
                raise self.unreachable()
        with super()._opened() as store:
            yield store


class Rows(Iterator):
    """A listing that goes on where it was interrupted."""

    def __init__(self, backend: Reference, rows: list) -> None:
        self._backend = backend
        self._rows = rows
        self._next = 0

    def __next__(self):
        with self._backend._opened():
            if self._next >= len(self._rows):
                raise StopIteration
            self._next += 1
            return self._rows[self._next - 1]


class FileReference(DataBackend):
    """Keeps every promise; each blob and each document is a file of its own, made durable by its own call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closed = False
        for part in ("blobs", "documents", "new"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for made in (folder, folder.parent):
            self.sync_folder(made)

    @property
    def capabilities(self) -> DataCapabilities:
        return DataCapabilities()

    @property
    def location(self) -> str:
        return str(self.folder)

    def path(self, part: str, name: str) -> Path:
        return self.folder / part / quote(name, safe="").replace(".", "%2E")

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data) > self.capabilities.max_blob_bytes:
            raise DataBackendError(f"blob {uid} is too large")
        with self.translated(uid):
            self.store_blob(self.path("blobs", uid), data)

    def store_blob(self, path: Path, data: memoryview) -> None:
        self.write_new(path, data, os.link)

    def write_new(self, path: Path, data: bytes | memoryview, give_name) -> None:
        temporary = self.folder / "new" / secrets.token_hex(8)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                self.sync_file(file.fileno())
            give_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def sync_file(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def flush(self) -> None:
        with self.translated():
            self.sync_folder(self.folder / "blobs")

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        with self.translated(uid):
            data = self.path("blobs", uid).read_bytes()
        if len(data) > len(buffer):
            raise BlobDamagedError(f"blob {uid} has {len(data)} bytes")
        buffer[: len(data)] = data
        return len(data)

    def stored_size(self, uid: BlobUid) -> int:
        with self.translated(uid):
            return self.path("blobs", uid).stat().st_size

    def delete(self, uids: Sequence[BlobUid]) -> None:
        with self.translated():
            for uid in uids:
                self.path("blobs", uid).unlink(missing_ok=True)

    def list_blobs(self) -> Iterator[StoredBlob]:
        with self.translated():
            paths = list((self.folder / "blobs").iterdir())
        return self.rows_of(paths)

    def rows_of(self, paths: Sequence[Path]) -> Iterator[StoredBlob]:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # deleted by another thread meanwhile
                yield StoredBlob(BlobUid(unquote(path.name)), path.stat().st_size)

    def write_document(self, name: str, data: bytes) -> None:
        with self.translated(name):
            self.write_new(self.path("documents", name), data, os.replace)
            self.sync_written()

    def create_document(self, name: str, data: bytes) -> bool:
        with self.translated(name):
            try:
                self.write_new(self.path("documents", name), data, os.link)
            except FileExistsError:
                return False
            self.sync_written()
            return True

    def sync_written(self) -> None:
        self.sync_folder(self.folder / "documents")

    def read_document(self, name: str) -> bytes | None:
        with self.translated(name), contextlib.suppress(FileNotFoundError):
            return self.path("documents", name).read_bytes()
        return None

    def list_documents(self, prefix: str) -> Iterator[str]:
        with self.translated():
            names = [unquote(path.name) for path in (self.folder / "documents").iterdir()]
        return (name for name in names if name.startswith(prefix))

    def delete_document(self, name: str) -> None:
        with self.translated(name):
            self.path("documents", name).unlink(missing_ok=True)
            self.sync_deleted()

    def sync_deleted(self) -> None:
        self.sync_folder(self.folder / "documents")

    def close(self) -> None:
        self._closed = True

    @contextlib.contextmanager
    def translated(self, name: str = "") -> Iterator[None]:
        if self._closed:
            raise DataBackendError(f"{self.folder} was closed")
        try:
            yield
        except FileExistsError as error:
            raise BlobExistsError(f"blob {name} is there already") from error
        except FileNotFoundError as error:
            if self.folder.exists():
                raise BlobNotFoundError(f"there is no blob {name}") from error
            raise DataBackendError(f"{self.folder} is gone") from error
        except OSError as error:
            raise DataBackendError(f"{self.folder}: {error.strerror}: {name}") from error
