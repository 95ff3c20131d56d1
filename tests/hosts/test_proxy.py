"""The proxy in front of servers that are killed: what befalls one side befalls the other."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack, closing

import pytest

from tests.support.proxy import Proxy

RESET = struct.pack("ii", 1, 0)


def test_a_client_whose_server_was_reset_does_not_wait_for_ever() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        proxy = stack.enter_context(Proxy(server.getsockname()))
        client = stack.enter_context(closing(socket.create_connection((proxy.host, proxy.port), timeout=10)))
        client.sendall(b"a question")
        behind, _ = server.accept()
        assert behind.recv(100) == b"a question"
        behind.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        behind.close()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
