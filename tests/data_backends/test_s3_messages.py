"""What can go wrong with an S3 server gives one message each that says what to do, and only what may pass is tried again."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.api import BlobNotFoundError, ConfigError, DataBackendError, PluginError
from backy2_core.plugins.discovery import DATA_BACKENDS
from backy2_core.plugins.registry import PluginRegistry
from backy2_core.testing.data_backend_base import new_uid, put_new, read
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from backy2_plugins.data_backends.s3.codes import _MEANINGS
from backy2_plugins.data_backends.s3.options import options_of
from tests.support.ceph import Cluster
from tests.support.s3 import LISTING, Answer, S3Server, Scripted

PAGE = Path(__file__).parent.parent.parent / "docs" / "s3.md"


def failure(server: S3Server, bucket: str, **more: object) -> DataBackendError:
    """The error with which the first call to a store ends."""
    with server.open(bucket, **more) as store, pytest.raises(DataBackendError) as caught:
        store.read_document("store.json")
    assert not isinstance(caught.value, BlobNotFoundError)
    return caught.value


@pytest.mark.parametrize("server", ["gateway", "moto"])
def test_a_missing_bucket(server: str, request: pytest.FixtureRequest) -> None:
    error = failure(request.getfixturevalue(server), "kit-missing")
    assert "NoSuchBucket" in str(error)
    assert "there is no bucket kit-missing; make it, or correct bucket" in str(error)
    assert not error.retryable


def test_a_wrong_key_and_a_wrong_secret(gateway: S3Server) -> None:
    bucket = gateway.make_bucket()
    error = failure(S3Server(gateway.endpoint, "stranger", gateway.secret_key), bucket)
    assert "InvalidAccessKeyId" in str(error)
    assert "correct access_key_id" in str(error)
    assert not error.retryable
    error = failure(S3Server(gateway.endpoint, gateway.access_key, "falsch"), bucket)
    assert "SignatureDoesNotMatch" in str(error)
    assert "secret_access_key is not the one of this access key" in str(error)
    assert "falsch" not in str(error)
    assert not error.retryable


def test_a_full_quota(ceph_with_radosgw: Cluster, gateway: S3Server) -> None:
    names = ["--uid", "small", "--display-name", "small", "--access-key", "small", "--secret-key", "wenig-platz"]
    ceph_with_radosgw.run("radosgw-admin", "user", "create", *names)
    ceph_with_radosgw.run(
        "radosgw-admin", "quota", "set", "--quota-scope=bucket", "--uid", "small", "--max-objects", "3"
    )
    ceph_with_radosgw.run("radosgw-admin", "quota", "enable", "--quota-scope=bucket", "--uid", "small")
    server = S3Server(gateway.endpoint, "small", "wenig-platz")
    with server.open(server.make_bucket()) as store, pytest.raises(DataBackendError) as caught:
        [put_new(store, 300_000) for _ in range(10)]
    assert "QuotaExceeded; the quota or the server is full; raise it or make room, then continue" in str(caught.value)
    assert not caught.value.retryable


def test_no_keys_at_all(moto: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    error = failure(moto, "any", access_key_id="", secret_access_key=None)
    assert "give access_key_id and secret_access_key, or keys where boto3 looks for them" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "RequestTimeTooSkewed", "the clock of this machine or of the server is wrong; set it"),
        (400, "ExpiredToken", "the temporary keys have run out; get new ones"),
        (
            403,
            "AccessDenied",
            "these keys may not do that; docs/s3.md lists the rights that are needed on bucket shelf",
        ),
        (403, "QuotaExceeded", "the quota or the server is full; raise it or make room"),
        (507, "XMinioStorageFull", "the quota or the server is full"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region"),
        (501, "NotImplemented", "the server cannot do that; docs/s3.md says which settings"),
        (400, "InvalidToken", "session_token does not belong to these keys"),
    ],
)
def test_what_does_not_pass_says_what_to_do(scripted: Scripted, status: int, code: str, expected: str) -> None:
    for answers in ([Answer.error(status, code)], [LISTING, Answer.error(status, code)]):
        scripted.answers = answers
        error = failure(scripted.server, "shelf")
        assert code in str(error)
        assert expected in str(error)
        assert scripted.server.endpoint in str(error)
        assert not error.retryable


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
        (400, "RequestTimeout"),
        (429, "TooManyRequests"),
        (409, "OperationAborted"),
        (400, "BadDigest"),
        (400, "XAmzContentSHA256Mismatch"),
        (502, "unknown"),
        (504, ""),
    ],
)
def test_what_may_pass_is_retryable_from_the_first_request_on(scripted: Scripted, status: int, code: str) -> None:
    for answers in ([Answer.error(status, code)], [LISTING, Answer.error(status, code)]):
        scripted.answers = answers
        assert failure(scripted.server, "shelf").retryable
        asked = len(scripted.requests)
        failure(scripted.server, "shelf")
        assert len(scripted.requests) - asked == 1, "boto3 must not try again by itself"


def test_a_passing_word_for_a_missing_page_proves_no_blob_missing(scripted: Scripted) -> None:
    scripted.answers = [LISTING, Answer(404, b"<html>no such page</html>", {"Content-Type": "text/html"})]
    with scripted.server.open("shelf") as store:
        for call in (lambda: read(store, new_uid()), lambda: store.stored_size(new_uid())):
            with pytest.raises(DataBackendError, match="not that of an S3 server") as caught:
                call()
            assert not isinstance(caught.value, BlobNotFoundError)


@pytest.mark.parametrize("body", [b"", b"<?xml version='1.0'?><ListBucketResult></ListBucketResult>"])
def test_an_answer_without_an_end_is_no_empty_store(scripted: Scripted, body: bytes) -> None:
    with scripted.server.open("shelf") as store:
        store.flush()
        scripted.answers = [Answer(200, body, {"Content-Type": "application/xml"})]
        with pytest.raises(DataBackendError, match="says not whether it is the last") as caught:
            list(store.list_blobs())
        assert caught.value.retryable


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>again</NextContinuationToken>"])
def test_a_listing_that_does_not_get_on_ends(scripted: Scripted, token: str) -> None:
    page = f"<?xml version='1.0'?><ListBucketResult><IsTruncated>true</IsTruncated>{token}</ListBucketResult>"
    with scripted.server.open("shelf") as store:
        store.flush()
        scripted.answers = [Answer(200, page.encode(), {"Content-Type": "application/xml"})]
        with pytest.raises(DataBackendError, match="does not say how to go on") as caught:
            list(store.list_blobs())
        assert not caught.value.retryable


@pytest.mark.parametrize("status", [200, 403, 404])
def test_another_server_than_one_for_s3(scripted: Scripted, status: int) -> None:
    scripted.answers = [Answer(status, b"<html><p>Welcome!</html>", {"Content-Type": "text/html"})]
    error = failure(scripted.server, "shelf")
    assert "the answer is not that of an S3 server; correct endpoint" in str(error) or status == 403
    assert not error.retryable


def test_a_bucket_in_another_region(scripted: Scripted) -> None:
    answer = Answer.error(301, "PermanentRedirect")
    scripted.answers = [Answer(301, answer.body, {**answer.headers, "x-amz-bucket-region": "moon-1"})]
    error = failure(scripted.server, "shelf")
    assert "the bucket is in another region; set region to moon-1" in str(error)
    assert len(scripted.requests) == 1, "no request goes to another server than the one that is configured"
    assert not error.retryable


def test_a_server_that_sends_every_request_elsewhere(scripted: Scripted) -> None:
    scripted.answers = [Answer(301, b"<html>Moved</html>", {"Content-Type": "text/html", "Location": "https://there/"})]
    error = failure(scripted.server, "shelf")
    assert "the server sends requests elsewhere; correct endpoint (is it https?) or region" in str(error)
    assert not error.retryable


def test_an_unknown_host(moto: S3Server) -> None:
    error = failure(S3Server("http://no-such-host.invalid:9000"), "shelf")
    assert "the name of the server is not known; correct endpoint" in str(error)
    assert not error.retryable


def test_a_server_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = f"http://127.0.0.1:{port}"
    error = failure(S3Server(server), "shelf")
    assert str(error) == (
        f"cannot look into the bucket in {server}/shelf/: nothing answers at {server} (Connection refused);"
        " check endpoint (host, port), and that the server runs"
    )
    assert error.retryable


def test_a_server_that_takes_connections_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = failure(S3Server(server), "shelf", timeout=0.2)
    assert f": {server} did not answer within timeout; look at the server" in str(error)
    assert error.retryable


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate for this machine, and its key, in one file."""
        return make_certificate(tmp_path / "server.pem")

    @pytest.fixture
    def secure(self, certificate: Path) -> Iterator[Scripted]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = Scripted(context)
        server.answers = [LISTING, Answer.error(404, "NoSuchKey")]
        yield server
        server.close()

    def test_a_certificate_that_nobody_knows(self, secure: Scripted) -> None:
        error = failure(secure.server, "shelf")
        assert "its certificate is not trusted; give the right ca_file, or correct endpoint" in str(error)
        assert not error.retryable

    def test_a_certificate_of_the_file(self, secure: Scripted, certificate: Path) -> None:
        with secure.server.open("shelf", ca_file=str(certificate)) as store:
            assert store.read_document("store.json") is None

    @pytest.mark.parametrize("content", [None, "no certificate\n"])
    def test_a_file_of_certificates_that_is_none_is_not_tried_again(
        self, secure: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
    ) -> None:
        file = tmp_path / "trusted"
        if content is not None:
            file.write_text(content)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
        error = failure(secure.server, "shelf")
        assert "the file of trusted certificates cannot be used" in str(error)
        assert "correct ca_file, or the variable AWS_CA_BUNDLE" in str(error)
        assert not error.retryable

    def test_a_connection_that_ends_within_the_handshake_is_tried_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            thread = threading.Thread(target=hang_up, args=(silent,))
            thread.start()
            error = failure(S3Server(f"https://127.0.0.1:{silent.getsockname()[1]}"), "shelf")
            thread.join()
        assert "; look at " in str(error)
        assert error.retryable

    def test_a_certificate_that_is_not_looked_at(self, secure: Scripted) -> None:
        with secure.server.open("shelf", verify_tls=False) as store:
            assert store.read_document("store.json") is None

    def test_tls_where_none_is_spoken(self, scripted: Scripted) -> None:
        error = failure(S3Server(scripted.server.endpoint.replace("http:", "https:")), "shelf")
        assert "it does not speak TLS there; correct the port, or write http:// in endpoint" in str(error)
        assert not error.retryable


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"endpoint": "s3.example.org"}, "key endpoint: 's3.example.org' is no URL of a server"),
        ({"endpoint": "https://a:b@s3.example.org"}, "it holds a user; write access_key_id"),
        ({"host": "s3.example.org"}, "key host: endpoint says it already"),
        ({"bucket": "shelf/host1"}, "what stands behind a slash is the key prefix"),
        ({"prefix": "/host1"}, "key prefix"),
        ({"addressing_style": "paths"}, "'paths' is none of auto, path, virtual"),
        (
            {"ca_file": "/no/such/file"},
            "key ca_file: /no/such/file cannot be read: No such file or directory; expected a file",
        ),
        ({"ca_file": "/"}, "key ca_file: / cannot be read: Is a directory; expected a file of certificates in PEM"),
        (
            {"ca_file": __file__},
            f"key ca_file: {__file__} holds no certificates in PEM (NO_CERTIFICATE_OR_CRL_FOUND); give",
        ),
        ({"secret_access_key": None}, "key secret_access_key: it is missing"),
        (
            {"secret_access_key": None, "secret_access_key_file": "/no/such/file"},
            "key secret_access_key_file: /no/such",
        ),
        ({"upload_checksum": "none"}, "none leaves it to TLS, and endpoint is http"),
        ({"kms_key_id": "k"}, "it is used with server_side_encryption = aws:kms only"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], expected: str) -> None:
    server = S3Server("http://127.0.0.1:9")
    with pytest.raises(ConfigError) as caught:
        options_of({**server.settings("shelf"), **settings})
    assert expected in str(caught.value)


def test_an_unknown_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="nobody"):
        S3Server("http://127.0.0.1:9").open("shelf", profile="nobody")


def test_without_boto3_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("backy2_plugins.data_backends.s3.")]:
        if name.rpartition(".")[2] not in ("options", "settings"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "boto3", None)
    registry = PluginRegistry()
    plugin = registry.load(DATA_BACKENDS, "s3")
    with pytest.raises(PluginError, match=r"boto3 is not installed: pip install 'backy2\[s3\]'"):
        registry.call(plugin, "backy2_open_data_backend", settings=S3Server("http://127.0.0.1:9").settings("shelf"))


def test_the_page_tells_of_every_code_that_has_an_advice() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [code for code in _MEANINGS if not code.isdigit() and f"`{code}`" not in text] == []


def test_blobs_are_stored_while_the_server_is_busy_now_and_then(scripted: Scripted) -> None:
    slow = Answer.error(503, "SlowDown")
    scripted.answers = [LISTING, slow, slow, Answer(200)]
    with RetryingDataBackend(
        scripted.server.open("shelf", conditional_writes="no"), Patience(first_wait_s=0.01)
    ) as store:
        put_new(store)
    assert [command for command, _, _ in scripted.requests] == ["GET", "PUT", "PUT", "PUT"]


def hang_up(listening: socket.socket) -> None:
    """Take one connection, wait for its first bytes, and end it without a word."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)


def make_certificate(path: Path) -> Path:
    """Write a certificate for localhost, signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
