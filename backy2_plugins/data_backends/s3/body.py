"""A buffer as boto3 wants what it is to send: something to read from, without a copy and without small pieces."""

from __future__ import annotations

import io

_PIECE = 256 * 1024


class Body:
    """Reads from ``data``, which stays the caller's; :meth:`release` lets go of it.

    It has a ``read``, so boto3 waits for the server's leave before it sends: a refusal (a full quota, a busy server) then comes
    as an answer and not as a cut connection. Each piece that is sent has the time-out for itself.
    """

    def __init__(self, data: memoryview | bytes) -> None:
        self._view = memoryview(data)
        self._length = len(data)
        self._at = 0

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> memoryview | bytes:
        """The next piece; larger than asked for where that is small, since each piece is a call to the system."""
        begin, self._at = self._at, min(self._length, self._at + max(size, _PIECE) if size >= 0 else self._length)
        return self._view[begin : self._at] if begin < self._at else b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, from which the next piece begins."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        return self._at

    def tell(self) -> int:
        """Where the next piece begins."""
        return self._at

    def release(self) -> None:
        """Let go of the buffer, whatever boto3 still keeps of the request."""
        self._view.release()
