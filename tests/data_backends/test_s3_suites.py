"""The data backend ``s3`` keeps every promise of the contract: on moto, and on a real Ceph gateway."""

from __future__ import annotations

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.data_backend_base import OpenStore
from backy2_core.testing.outage import Outage
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from tests.support.proxy import Proxy
from tests.support.s3 import S3Server


class S3Suite(DataBackendSuite):
    secret_texts = ("geheimes-wort",)

    @pytest.fixture
    def open_silent(self):
        def open_at(host: str, port: int) -> DataBackend:
            return S3Server(f"http://{host}:{port}").open("silent", timeout=1.0)

        return open_at

    @pytest.fixture
    def outage(self, proxy: Proxy) -> Outage:
        return Outage(begin=proxy.down, end=proxy.up)


class TestMoto(S3Suite):
    # It looks whether the object is there, and then stores it: two at once may both be told that they were first.
    refuses_existing = False

    @pytest.fixture
    def proxy(self, moto: S3Server):
        with Proxy(("127.0.0.1", int(moto.endpoint.rpartition(":")[2]))) as proxy:
            yield proxy

    @pytest.fixture
    def open_store(self, moto: S3Server, proxy: Proxy) -> OpenStore:
        bucket = moto.make_bucket()
        server = S3Server(f"http://{proxy.host}:{proxy.port}")
        # It fails (500) now and then when two put one object at once, which passes.
        return lambda: RetryingDataBackend(server.open(bucket), Patience(limit_s=0.5, first_wait_s=0.01))


class TestRadosgw(S3Suite):
    @pytest.fixture
    def proxy(self, gateway: S3Server):
        with Proxy(("127.0.0.1", int(gateway.endpoint.rpartition(":")[2]))) as proxy:
            yield proxy

    @pytest.fixture
    def open_store(self, gateway: S3Server, proxy: Proxy) -> OpenStore:
        bucket = gateway.make_bucket()
        server = S3Server(f"http://{proxy.host}:{proxy.port}", gateway.access_key, gateway.secret_key)
        return lambda: server.open(bucket, prefix="host1/")
