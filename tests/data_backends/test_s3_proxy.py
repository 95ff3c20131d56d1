"""Connections to a real Ceph gateway that are cut, stalled, changed and refused: nothing is lost, short or wrong."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.errors import DataBackendError
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from tests.support.proxy import Proxy, Strike, To
from tests.support.s3 import S3Server

KIB = 1024
SIZE = 600 * KIB


@pytest.fixture(scope="module")
def bucket(gateway: S3Server) -> str:
    return gateway.make_bucket()


@pytest.fixture
def proxy(gateway: S3Server) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", int(gateway.endpoint.rpartition(":")[2]))) as proxy:
        yield proxy


@pytest.fixture
def open_through(gateway: S3Server, bucket: str, proxy: Proxy) -> Callable[..., RetryingDataBackend]:
    """Opens the store behind the proxy, which is tried again soon, and has connections in use already."""
    server = S3Server(f"http://{proxy.host}:{proxy.port}", gateway.access_key, gateway.secret_key)

    def open_store(limit_s: float = 30, **settings: object) -> RetryingDataBackend:
        store = RetryingDataBackend(
            server.open(bucket, timeout=1.0, **settings),
            Patience(limit_s=limit_s, first_wait_s=0.01, longest_wait_s=0.2),
        )
        put_new(store)
        return store

    return open_store


@pytest.fixture
def store(open_through: Callable[..., RetryingDataBackend]) -> Iterator[DataBackend]:
    with open_through() as opened:
        yield opened


@pytest.mark.parametrize("after", [0, 100, 1000, SIZE // 2])
@pytest.mark.parametrize("strike", [Strike.CUT, Strike.CORRUPT])
def test_a_blob_whose_request_is_struck_is_stored_whole(
    store: DataBackend, proxy: Proxy, strike: Strike, after: int
) -> None:
    proxy.order(strike, To.SERVER, after=after)
    uid = put_new(store, SIZE)
    assert proxy.strikes[strike] == 1
    assert read(store, uid, SIZE) == content_of(uid, SIZE)


@pytest.mark.parametrize("strike", [Strike.CUT, Strike.STALL])
def test_a_put_whose_answer_is_lost_finds_its_own_blob(store: DataBackend, proxy: Proxy, strike: Strike) -> None:
    uid = new_uid()
    # The first answer is the leave to send; the second says that the blob is stored.
    proxy.order(strike, To.CLIENT, after=len(b"HTTP/1.1 100 CONTINUE\r\n\r\n") + 5)
    put(store, uid, content_of(uid, SIZE))
    assert proxy.strikes[strike] == 1
    assert read(store, uid, SIZE) == content_of(uid, SIZE)


@pytest.mark.parametrize("after", [10, 700, SIZE // 2, SIZE - 1])
@pytest.mark.parametrize("strike", list(Strike))
def test_a_blob_whose_answer_is_struck_is_read_whole(
    store: DataBackend, proxy: Proxy, strike: Strike, after: int
) -> None:
    uid = put_new(store, SIZE)
    proxy.order(strike, To.CLIENT, after=after)
    assert read(store, uid, SIZE) == content_of(uid, SIZE)
    assert proxy.strikes[strike] == 1


@pytest.mark.parametrize("to", list(To))
def test_listings_deletions_and_documents_survive_cuts(store: DataBackend, proxy: Proxy, to: To) -> None:
    uids = {put_new(store) for _ in range(5)}
    name = f"cut/{to.name.lower()}"
    for call in (
        lambda: set(listed(store)) & uids,
        lambda: store.delete(sorted(uids)),
        lambda: set(listed(store)) & uids,
        lambda: store.write_document(name, b"content"),
        lambda: store.read_document(name),
        lambda: store.create_document(f"{name}-new", b"mine"),
        lambda: list(store.list_documents(name)),
        lambda: store.delete_document(name),
        lambda: store.read_document(name),
    ):
        proxy.order(Strike.CUT, to, after=20)
        results = call()
        assert proxy.strikes.pop(Strike.CUT) == 1
        if isinstance(results, set):
            assert results in (uids, set())
    assert store.read_document(name) is None
    assert store.read_document(f"{name}-new") == b"mine"


def test_a_server_that_is_gone_for_a_while_is_waited_for(store: DataBackend, proxy: Proxy) -> None:
    proxy.down()
    threading.Timer(0.5, proxy.up).start()
    uid = put_new(store, SIZE)
    assert read(store, uid, SIZE) == content_of(uid, SIZE)


def test_a_server_that_stays_away_is_given_up_in_time(
    open_through: Callable[..., RetryingDataBackend], proxy: Proxy
) -> None:
    with open_through(limit_s=0.3) as store:
        proxy.down()
        with pytest.raises(DataBackendError, match="cannot store") as caught:
            put_new(store)
        assert caught.value.retryable
        proxy.up()
        put_new(store)


def test_a_server_that_trickles_is_given_up(gateway: S3Server, bucket: str, proxy: Proxy) -> None:
    server = S3Server(f"http://{proxy.host}:{proxy.port}", gateway.access_key, gateway.secret_key)
    with server.open(bucket, timeout=0.6) as store:
        uid = put_new(store, 4 * SIZE)
        proxy.delay(0.15)
        with pytest.raises(DataBackendError, match="too slow after") as caught:
            read(store, uid, 4 * SIZE)
        assert caught.value.retryable


def test_no_more_connections_are_open_than_requests_may_run(
    open_through: Callable[..., RetryingDataBackend], proxy: Proxy
) -> None:
    with open_through(simultaneous_reads=2, simultaneous_writes=2) as store:
        for _ in range(20):
            read(store, put_new(store))
        assert proxy.connections == 1


def test_in_a_storm_everything_that_was_stored_is_whole(
    open_through: Callable[..., RetryingDataBackend], proxy: Proxy
) -> None:
    dice = random.Random(5)
    with open_through() as store:
        kept = {}
        for turn in range(40):
            strike = dice.choice([Strike.CUT, Strike.CUT, Strike.CORRUPT])
            proxy.order(strike, dice.choice(list(To)), after=dice.randrange(SIZE))
            uid = new_uid()
            try:
                put(store, uid, content_of(uid, SIZE))
                kept[uid] = SIZE
                assert read(store, uid, SIZE) == content_of(uid, SIZE)
                if turn % 8 == 0:
                    proxy.heal()
                    assert kept.items() <= listed(store).items()
            except DataBackendError as error:
                assert not error.retryable, "a turned byte may make a request or an answer say something else"
        proxy.heal()
        assert sum(proxy.strikes.values()) >= 30
        assert len(kept) >= 30
        for uid in kept:
            assert read(store, uid, SIZE) == content_of(uid, SIZE)


class TestTheProxy:
    def test_it_stands_before_unix_sockets_too(self, tmp_path: Path) -> None:
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            with Proxy(path) as proxy, socket.create_connection((proxy.host, proxy.port)) as client:
                end, _ = server.accept()
                with end:
                    proxy.order(Strike.CORRUPT, To.SERVER, after=3)
                    client.sendall(b"abcdef")
                    assert received(end, 6) == b"abc" + bytes([ord("d") ^ 0xFF]) + b"ef"
                    end.sendall(b"answer")
                    assert received(client, 6) == b"answer"
                    proxy.cut_all()
                    with pytest.raises(ConnectionResetError):
                        client.recv(1)

    def test_what_was_stalled_goes_on_when_healed(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            Proxy(server.getsockname()) as proxy,
            socket.create_connection((proxy.host, proxy.port)) as client,
        ):
            end, _ = server.accept()
            with end:
                proxy.order(Strike.STALL, To.SERVER, after=2)
                client.sendall(b"abcd")
                assert received(end, 2) == b"ab"
                end.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    end.recv(1)
                proxy.heal()
                end.settimeout(10)
                assert received(end, 2) == b"cd"


def received(end: socket.socket, count: int) -> bytes:
    """Exactly ``count`` bytes."""
    data = b""
    while len(data) < count:
        data += end.recv(count - len(data))
    return data
