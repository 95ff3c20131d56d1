"""Servers that speak S3, for tests: moto in this process, the Ceph cluster's gateway, and one that answers as it is told.

The fixtures ``moto``, ``gateway`` and ``scripted`` are to be imported into a conftest.
"""

from __future__ import annotations

import functools
import itertools
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.ceph import Cluster

if TYPE_CHECKING:
    from backy2_plugins.data_backends.s3.backend import S3DataBackend

__all__ = ["Answer", "S3Server", "Scripted", "gateway", "moto", "scripted"]

HOST = "127.0.0.1"
REGION = "us-east-1"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class S3Server:
    """Where a server is, and who may use it."""

    endpoint: str
    access_key: str = "keeper"
    secret_key: str = "geheimes-wort"

    @functools.cache  # noqa: B019 - making one takes longer than many a test
    def client(self) -> Any:
        """A client of boto3 as it comes, the same at each call."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def make_bucket(self, **more: Any) -> str:
        """Make a bucket of one's own, return its name."""
        name = f"kit-{next(_NUMBERS)}"
        self.client().create_bucket(Bucket=name, **more)
        return name

    def settings(self, bucket: str, **more: Any) -> dict[str, Any]:
        """Settings of the plugin for that bucket."""
        from backy2_core.api import Secret
        from backy2_plugins.data_backends.s3.settings import SETTINGS

        return {
            **{setting.name: setting.default for setting in SETTINGS},
            "endpoint": self.endpoint,
            "bucket": bucket,
            "access_key_id": self.access_key,
            "secret_access_key": Secret(self.secret_key),
            **more,
        }

    def open(self, bucket: str, **more: Any) -> S3DataBackend:
        """Open a store in that bucket; ``more`` are settings."""
        from backy2_plugins.data_backends.s3.backend import S3DataBackend
        from backy2_plugins.data_backends.s3.options import options_of

        return S3DataBackend(options_of(self.settings(bucket, **more)))

    def section(self, bucket: str, **more: Any) -> str:
        """The section of a configuration file for that bucket."""
        values = {
            "type": "s3",
            "endpoint": self.endpoint,
            "bucket": bucket,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            **more,
        }
        return "\n".join(["[data_backend]", *(f"{key} = {value}" for key, value in values.items()), ""])


@functools.cache
def read_descriptions_once() -> None:
    """Let botocore read its descriptions of services once a process: a third of a second for each of many clients."""
    loaders = pytest.importorskip("botocore.loaders", reason="boto3 is missing: pip install boto3")
    read = loaders.JSONFileLoader.load_file
    once = functools.cache(lambda path: read(loaders.JSONFileLoader(), path))
    loaders.JSONFileLoader.load_file = lambda self, path: once(path)


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """The server of moto, in this process."""
    read_descriptions_once()
    server_module = pytest.importorskip("moto.server", reason="moto is missing: pip install 'moto[server]'")
    server = server_module.ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Server(f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def gateway(ceph_with_radosgw: Cluster) -> S3Server:
    """The S3 gateway of a real Ceph cluster."""
    read_descriptions_once()
    radosgw = ceph_with_radosgw.radosgw
    return S3Server(radosgw.endpoint, radosgw.access_key, radosgw.secret_key)


@dataclass(frozen=True)
class Answer:
    """What a scripted server says to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def error(status: int, code: str, message: str = "so it is") -> Answer:
        """An error as S3 servers write it."""
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return Answer(status, text.encode(), {"Content-Type": "application/xml"})


LISTING = Answer(
    200,
    b"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    {"Content-Type": "application/xml"},
)


class Scripted:
    """A server that answers one request after the other as it is told, and the last answer for ever."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: list[Answer] = [LISTING]
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self.scheme = "https" if context else "http"
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def server(self) -> S3Server:
        """Where it is."""
        return S3Server(f"{self.scheme}://localhost:{self.port}")

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(scripted: Scripted) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # it answers Expect: 100-continue

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scripted.requests.append((self.command, self.path, dict(self.headers)))
                answer = scripted.answers.pop(0) if len(scripted.answers) > 1 else scripted.answers[0]
                self.send_response(answer.status)
                for name, value in {
                    "Content-Length": len(answer.body),
                    "Connection": "close",
                    **answer.headers,
                }.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A server that answers as it is told."""
    read_descriptions_once()
    server = Scripted()
    yield server
    server.close()
