"""The open filesystems of a store: each is used by one thread at a time, and given up when it failed."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator
from typing import Any

from fsspec.utils import get_protocol

from backy2_core.api import BackyError, BlobDamagedError, ConfigError, DataBackendError, PluginError
from backy2_fsspec import dialects
from backy2_fsspec.dialects.base import Dialect
from backy2_fsspec.options import Options, check_url

_ADVICE = {
    errno.ENOSPC: "make room there, or run a cleanup",
    errno.EDQUOT: "raise the quota, or run a cleanup",
    errno.EACCES: "check the permissions of that user on the server",
    errno.EPERM: "check the permissions; the filesystem must allow hard links",
    errno.ECONNREFUSED: "is the server running, and is the port right?",
}


class Connections:
    """Opens ``url`` as often as ``limit`` threads need it at once; more threads wait.

    Not every filesystem of fsspec may be used by two threads at once (SFTP may not), so none is.
    """

    def __init__(
        self, url: str, options: Options, secrets: Options, *, writing: str, timeout_s: float, limit: int
    ) -> None:
        check_url(url)
        self.location = url
        self._protocol = get_protocol(url)
        self._secrets = [str(value) for value in secrets.values()]
        self._slots = threading.Semaphore(limit)
        self._idle: list[Any] = []
        self._closed = False
        self.dialect: Dialect
        with self.translated("open the store"):
            self.dialect = dialects.choose(self._protocol, writing, timeout_s)
            self._options = dialects.arranged(self._protocol, {**options, **secrets}, timeout_s)
            first, root = dialects.open_filesystem(self._protocol, url, self._options)
            if not root.strip("/"):
                raise ConfigError(f"{url} names no folder; expected one below the top, such as .../backy2")
            self.dialect.root = root.rstrip("/")
            self.dialect.connected(first)
        self._idle.append(first)

    @contextlib.contextmanager
    def use(self, action: str) -> Iterator[Any]:
        """A filesystem for one call. Errors are translated, but for FileNotFoundError and FileExistsError; ``action``
        says for the message what was tried."""
        with self._slots, self.dialect.access:
            fs = self._take()
            try:
                with self._translated(action):
                    yield fs
            except BaseException as error:
                if isinstance(error, FileNotFoundError | FileExistsError | BlobDamagedError):
                    self._idle.append(fs)
                else:
                    # Answers to what was asked before may still be on their way: nobody else may see them.
                    self._give_up(fs)
                raise
            self._idle.append(fs)

    @contextlib.contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Translates all errors of what is done in it."""
        try:
            with self._translated(action):
                yield
        except (FileNotFoundError, FileExistsError) as error:
            raise self.failure(action, error) from error

    def failure(self, action: str, error: Exception) -> DataBackendError:
        """The error to raise for ``error``: where, what could not be done, why, and what to do."""
        number = error.errno if isinstance(error, OSError) else None
        advice = _ADVICE.get(number or 0)
        reason = self._reason(error) + (f"; {advice}" if advice else "")
        passing = self.dialect.is_passing(error)
        return DataBackendError(f"{self.location}: cannot {action}: {reason}", retryable=passing)

    def close(self) -> None:
        """Close all connections. Calling it twice does nothing."""
        self._closed = True
        while self._idle:
            self.dialect.disconnect(self._idle.pop())

    def check_open(self) -> None:
        """Raise if they were closed, in a call that would need none of them."""
        if self._closed:
            raise DataBackendError(f"the store {self.location} was closed")

    def _take(self) -> Any:
        self.check_open()
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        # A file that is missing for this (a key, say) is none of the store's.
        with self.translated("connect"):
            fs, _ = dialects.open_filesystem(self._protocol, self.location, self._options)
            self.dialect.connected(fs)
            return fs

    def _give_up(self, fs: Any) -> None:
        with contextlib.suppress(Exception):  # it failed already, and that is what is told
            self.dialect.disconnect(fs)

    @contextlib.contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except (BackyError, FileNotFoundError, FileExistsError):
            raise
        except ImportError as error:
            raise PluginError(
                f"{self.location} needs a library that is not installed: {error}. For sftp:// it is paramiko, "
                "in: pip install 'backy2-fsspec[sftp]'"
            ) from error
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.location}: cannot {action}: {self._reason(error)}; check url, options and secret_options of the "
                "data backend"
            ) from error
        except Exception as error:  # each filesystem has a library of its own, with its own tree of errors
            raise self.failure(action, error) from error

    def _reason(self, error: Exception) -> str:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text
