"""A small client of the NBD protocol: fixed newstyle handshake, simple replies, and block status.

As much of the protocol as qemu-nbd needs, and no more: one request at a time on a connection. Raises OSError for what
the server or the socket reports; then the connection cannot be relied on, but for errors that came in an answer
(:class:`NbdError`).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 16 * 1024 * 1024
"""Bytes to read or write in one request; qemu takes up to 32 MiB."""
MOST_ZERO_BYTES = 1024 * 1024 * 1024

READ_ONLY = 1 << 1
_CLIENT_FLAGS = 0b11  # fixed newstyle, no zeroes behind the answer
_MAGIC, _OPTION_MAGIC, _OPTION_REPLY_MAGIC = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
_REQUEST_MAGIC, _SIMPLE_MAGIC, _CHUNK_MAGIC = 0x25609513, 0x67446698, 0x668E33EF
_OPT_GO, _OPT_STRUCTURED, _OPT_META = 7, 8, 10
_REP_ACK, _REP_INFO, _REP_CONTEXT = 1, 3, 4
_INFO_EXPORT = 0
_READ, _WRITE, _DISCONNECT, _FLUSH, _WRITE_ZEROES, _BLOCK_STATUS = 0, 1, 2, 3, 6, 7
_NO_HOLE = 1 << 1
_CHUNK_DONE, _CHUNK_STATUS, _CHUNK_IS_ERROR = 1, 5, 1 << 15
_STATE_ZERO = 1 << 1
_CONTEXT = b"base:allocation"
_EXPORT = b""
_MOST_ANSWER = 64 * 1024 * 1024


class NbdError(OSError):
    """The server answered that a request failed. The connection can be used on."""


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the device that all reads as zeros, or may not."""

    length: int
    is_zero: bool


class NbdConnection:
    """One connection, negotiated. For one thread at a time. ``status`` asks for :meth:`ranges`."""

    def __init__(self, connected: socket.socket, *, status: bool = False) -> None:
        self._socket = connected
        self._cookie = 0
        self.size_bytes = 0
        self.flags = 0
        self.can_tell_ranges = False
        self._shake_hands()
        if status and self._option(_OPT_STRUCTURED, b""):
            queries = struct.pack(">II", 1, len(_CONTEXT)) + _CONTEXT
            granted = self._option(_OPT_META, struct.pack(">I", len(_EXPORT)) + _EXPORT + queries)
            self.can_tell_ranges = any(kind == _REP_CONTEXT for kind, _ in granted)
        self._go()

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer`` from ``offset`` on. Only where ``status`` was not asked for."""
        for start in range(0, len(buffer), MOST_BYTES):
            piece = buffer[start : start + MOST_BYTES]
            self._request(_READ, 0, offset + start, len(piece))
            self._simple_reply()
            self._receive_into(piece)

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data`` at ``offset``."""
        for start in range(0, len(data), MOST_BYTES):
            piece = data[start : start + MOST_BYTES]
            self._request(_WRITE, 0, offset + start, len(piece))
            self._socket.sendall(piece)
            self._simple_reply()

    def zero(self, offset: int, length: int, *, may_be_hole: bool) -> None:
        """Make a range read as zeros; with ``may_be_hole`` without taking space."""
        while length:
            count = min(length, MOST_ZERO_BYTES)
            self._request(_WRITE_ZEROES, 0 if may_be_hole else _NO_HOLE, offset, count)
            self._simple_reply()
            offset, length = offset + count, length - count

    def flush(self) -> None:
        """Return when everything that was answered before, on any connection, is durable."""
        self._request(_FLUSH, 0, 0, 0)
        self._simple_reply()

    def ranges(self, offset: int, length: int) -> Iterator[Range]:
        """What is known of a part of the device, from its beginning on; perhaps not to its end, perhaps beyond."""
        self._request(_BLOCK_STATUS, 0, offset, length)
        for pair in struct.iter_unpack(">II", self._chunks()[4:]):
            yield Range(pair[0], bool(pair[1] & _STATE_ZERO))

    def close(self) -> None:
        """Take leave, and close the socket. Calling it twice does nothing."""
        if self._socket.fileno() < 0:
            return
        try:
            self._request(_DISCONNECT, 0, 0, 0)
        except OSError:
            pass  # the server is gone already
        finally:
            self._socket.close()

    def _shake_hands(self) -> None:
        magic, option_magic, flags = struct.unpack(">QQH", self._receive(18))
        if (magic, option_magic) != (_MAGIC, _OPTION_MAGIC) or not flags & 1:
            raise ConnectionError("this is no server of the NBD protocol that is fixed newstyle")
        self._socket.sendall(struct.pack(">I", _CLIENT_FLAGS & flags))
        if not flags & 2:
            raise ConnectionError("the server does not know how to leave out zeroes in its handshake")

    def _option(self, option: int, data: bytes) -> list[tuple[int, bytes]]:
        """Replies to an option, without the last; nothing where the server does not know it, else at least one."""
        self._socket.sendall(struct.pack(">QII", _OPTION_MAGIC, option, len(data)) + data)
        replies: list[tuple[int, bytes]] = []
        while True:
            magic, _, kind, length = struct.unpack(">QIII", self._receive(20))
            if magic != _OPTION_REPLY_MAGIC:
                raise ConnectionError("the server's answer is none of the NBD protocol")
            payload = self._receive(length)
            if kind == _REP_ACK:
                return [*replies, (kind, payload)]
            if kind >> 31:
                return []
            replies.append((kind, payload))

    def _go(self) -> None:
        for kind, payload in self._option(_OPT_GO, struct.pack(">I", len(_EXPORT)) + _EXPORT + struct.pack(">H", 0)):
            if kind == _REP_INFO and struct.unpack_from(">H", payload)[0] == _INFO_EXPORT:
                self.size_bytes, self.flags = struct.unpack_from(">QH", payload, 2)
                return
        raise ConnectionError("the server does not export the image")

    def _request(self, command: int, flags: int, offset: int, length: int) -> None:
        self._cookie += 1
        self._socket.sendall(
            struct.pack(">IHHQQI", _REQUEST_MAGIC, flags, command, self._cookie, offset, length),
        )

    def _simple_reply(self) -> None:
        magic, error, cookie = struct.unpack(">IIQ", self._receive(16))
        if (magic, cookie) != (_SIMPLE_MAGIC, self._cookie):
            raise ConnectionError("the server's answer is none to what was asked")
        if error:
            raise NbdError(error, os.strerror(error))

    def _chunks(self) -> bytes:
        """The status in the answer that comes in chunks; the last chunk ends it."""
        found, error = b"", 0
        while True:
            magic, flags, kind, cookie, length = struct.unpack(">IHHQI", self._receive(20))
            if (magic, cookie) != (_CHUNK_MAGIC, self._cookie):
                raise ConnectionError("the server's answer is none to what was asked")
            payload = self._receive(length)
            if kind & _CHUNK_IS_ERROR:
                error = struct.unpack_from(">I", payload)[0]
            elif kind == _CHUNK_STATUS:
                found = payload
            if flags & _CHUNK_DONE:
                break
        if error:
            raise NbdError(error, os.strerror(error))
        return found

    def _receive(self, length: int) -> bytes:
        if length > _MOST_ANSWER:
            raise ConnectionError(f"the server announces an answer of {length} bytes")
        buffer = bytearray(length)
        self._receive_into(memoryview(buffer))
        return bytes(buffer)

    def _receive_into(self, buffer: memoryview) -> None:
        position = 0
        while position < len(buffer):
            count = self._socket.recv_into(buffer[position:])
            if not count:
                raise ConnectionResetError("the server closed the connection")
            position += count
