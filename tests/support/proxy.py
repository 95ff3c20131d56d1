"""A TCP proxy that delays, cuts, stalls and corrupts connections on command, in front of any server.

It knows nothing of what is spoken. The server behind it is a host and port, or the path of a unix socket. A command counts
the bytes that pass in one direction from now on, over all connections together, and strikes at the very byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

HOST = "127.0.0.1"
PATIENCE_S = 10.0
_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)

T = TypeVar("T")


class To(enum.Enum):
    """The direction of bytes."""

    SERVER = "requests"
    CLIENT = "answers"


class Strike(enum.Enum):
    """What happens to a connection."""

    CUT = "reset on both sides"
    STALL = "left open, and nothing passes any more in this direction until heal()"
    CORRUPT = "one byte is turned over"


@dataclass(eq=False)
class _Order:
    strike: Strike
    to: To
    after: int


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    writers: list[asyncio.StreamWriter]
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def abort(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        for pump in self.pumps:
            pump.cancel()


class Proxy:
    """Listens on ``host`` and ``port`` for as long as the context lasts; commands may come from any thread.

    ``upstream``: (host, port), or the path of a unix socket. ``strikes`` counts what was done, ``connections`` who came.
    """

    host = HOST

    def __init__(self, upstream: tuple[str, int] | str) -> None:
        self.strikes: Counter[Strike] = Counter()
        self.connections = 0
        self._upstream = upstream
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._delay_s = 0.0
        self._links: set[_Link] = set()
        self._healed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self._server: asyncio.Server | None = None
        self.up()

    def up(self) -> None:
        """Take connections (again)."""
        if self._server is None:
            self._server = self._run(asyncio.start_server(self._serve, HOST, self.port))
            self.port = self._server.sockets[0].getsockname()[1]

    def down(self) -> None:
        """Cut all connections; new ones are refused, as where no server runs."""
        self._run(self._stop_listening())
        self.cut_all()

    def cut_all(self) -> None:
        """Cut all connections that are open now."""
        self._run(self._cut_all())

    def order(self, strike: Strike, to: To, *, after: int = 0, times: int = 1) -> None:
        """Strike when ``after`` more bytes have passed in that direction, and again after as many, ``times`` in all."""
        with self._lock:
            self._orders += [_Order(strike, to, after * n) for n in range(1, times + 1)]

    def delay(self, seconds: float) -> None:
        """Hold every piece of up to 64 KiB for so long, in both directions."""
        self._delay_s = seconds

    def heal(self) -> None:
        """Forget all orders, and let go of what is held."""
        with self._lock:
            self._orders.clear()
        self._delay_s = 0.0
        self._loop.call_soon_threadsafe(self._let_go)

    def close(self) -> None:
        """Cut everything and end."""
        self.heal()
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def _let_go(self) -> None:
        self._healed.set()
        self._healed = asyncio.Event()

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut_all(self) -> None:
        links = list(self._links)
        for link in links:
            link.abort()
        await asyncio.gather(*(pump for link in links for pump in link.pumps), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link([writer])
        try:
            if isinstance(self._upstream, str):
                up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
            else:
                up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            link.abort()
            return
        link.writers.append(up_writer)
        self._links.add(link)
        pumps = (self._pump(reader, up_writer, To.SERVER, link), self._pump(up_reader, writer, To.CLIENT, link))
        link.pumps += [asyncio.ensure_future(pump) for pump in pumps]
        await asyncio.gather(*link.pumps, return_exceptions=True)
        self._links.discard(link)
        for end in link.writers:
            end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: To, link: _Link) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                while hit := self._hit(to, len(piece)):
                    writer.write(piece[: hit.after])
                    piece = piece[hit.after :]
                    self.strikes[hit.strike] += 1
                    if hit.strike is Strike.CUT:
                        link.abort()
                        return
                    if hit.strike is Strike.STALL:
                        await writer.drain()
                        await self._healed.wait()
                    else:
                        writer.write(bytes([piece[0] ^ 0xFF]))
                        piece = piece[1:]
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except ConnectionError:
            # What befell one side is to befall the other, which else would wait for ever.
            link.abort()

    def _hit(self, to: To, length: int) -> _Order | None:
        """The first order that strikes within the next ``length`` bytes; its ``after`` is then from here on."""
        with self._lock:
            orders = [order for order in self._orders if order.to is to]
            hit = min(orders, key=lambda order: order.after, default=None)
            if hit is not None and hit.after < length:
                self._orders.remove(hit)
                passed = hit.after
            else:
                hit, passed = None, length
            for order in orders:
                if order is not hit:
                    order.after -= passed
            return hit
