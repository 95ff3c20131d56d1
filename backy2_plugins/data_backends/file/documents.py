"""Documents: small named files below ``<store>/backy2/``, each written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from backy2_plugins import linux
from backy2_plugins.data_backends.file.layout import DOCUMENT_FOLDER, document_path
from backy2_plugins.data_backends.file.root import StoreRoot
from backy2_plugins.data_backends.file.staging import Staging


class Documents:
    """The documents of one open store. Threads: all methods may be called from several threads at once."""

    def __init__(self, root: StoreRoot, staging: Staging) -> None:
        self._root = root
        self._staging = staging

    def write(self, name: str, data: bytes) -> None:
        """Store a document, replacing one of that name."""
        path = document_path(name)
        try:
            with self._written(data) as temporary:
                self._make_folders(path)
                os.rename(temporary, path, src_dir_fd=self._staging.fd, dst_dir_fd=self._root.fd)
            self._root.sync_folder(os.path.dirname(path))
        except OSError as error:
            raise self._root.failure("write", path, error) from error

    def create(self, name: str, data: bytes) -> bool:
        """Store a document if there is none of that name; True if this call made it."""
        path = document_path(name)
        try:
            with self._written(data) as temporary:
                self._make_folders(path)
                linux.rename_new(self._staging.fd, temporary, self._root.fd, path)
            self._root.sync_folder(os.path.dirname(path))
        except FileExistsError:
            return False
        except OSError as error:
            raise self._root.failure("create", path, error) from error
        return True

    def read(self, name: str) -> bytes | None:
        """The document, or None."""
        path = document_path(name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root.fd)
            with open(fd, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._root.check_present()
            return None
        except OSError as error:
            raise self._root.failure("read", path, error) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Names that begin with ``prefix``; only folders that can hold such are looked into."""
        try:
            yield from self._walk("", prefix)
        except OSError as error:
            raise self._root.failure("list", DOCUMENT_FOLDER, error) from error

    def delete(self, name: str) -> None:
        """Delete a document; one that is not there is no error."""
        path = document_path(name)
        try:
            os.unlink(path, dir_fd=self._root.fd)
            self._root.sync_folder(os.path.dirname(path))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._root.check_present()
        except OSError as error:
            raise self._root.failure("delete", path, error) from error

    @contextlib.contextmanager
    def _written(self, data: bytes) -> Iterator[str]:
        """Name of a durable file with ``data`` in the staging folder, for as long as the context lasts."""
        name = self._staging.fresh_name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=self._staging.fd)
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            yield name
        finally:
            self._staging.remove(name)

    def _make_folders(self, path: str) -> None:
        """Make the folders above ``path``, durable up to the store's own."""
        folder = os.path.dirname(path)
        self._root.make_folders(folder)
        while folder:
            folder = os.path.dirname(folder)
            self._root.sync_folder(folder or ".")

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        try:
            fd = os.open(
                f"{DOCUMENT_FOLDER}/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._root.fd
            )
        except (FileNotFoundError, NotADirectoryError):
            self._root.check_present()
            return
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if name.startswith(prefix) or prefix.startswith(name + "/"):
                            yield from self._walk(name + "/", prefix)
                    elif name.startswith(prefix):
                        yield name
        finally:
            os.close(fd)
