"""Each message of the S3 store ends with a next step, and names the settings that may be the reason, and no others."""

from __future__ import annotations

import socket

import pytest

from backy2_core.api import BlobsKeptError, DataBackendError
from backy2_core.testing.data_backend_base import new_uid, put_new
from backy2_plugins.data_backends.s3.codes import _MEANINGS
from tests.data_backends.test_s3_messages import failure
from tests.support.s3 import LISTING, Answer, S3Server, Scripted

boto = pytest.importorskip("botocore.exceptions", reason="boto3 is missing: pip install boto3")
ProtocolError = pytest.importorskip(
    "urllib3.exceptions", reason="urllib3 is missing: pip install urllib3"
).ProtocolError
Failures = pytest.importorskip("backy2_plugins.data_backends.s3.failures", reason="boto3 is missing").Failures

URL = "https://s3.example.org/shelf?list-type=2"


def answer(code: str) -> boto.ClientError:
    """What boto3 raises for an answer with that code."""
    status = int(code) if code.isdigit() else 400
    return boto.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


def test_a_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://me:geheim@127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    error = failure(S3Server("http://s3.example.org"), "shelf")
    assert f'127.0.0.1:{port}"; correct the variable HTTP_PROXY or HTTPS_PROXY' in str(error)
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.ParamValidationError(report="so it is"),
        boto.NoRegionError(),
        boto.ConnectTimeoutError(endpoint_url=URL, error="late"),
        boto.ReadTimeoutError(endpoint_url=URL, error="late"),
        boto.ConnectionClosedError(endpoint_url=URL, error="cut"),
        boto.EndpointConnectionError(endpoint_url=URL, error="so it is"),
        boto.ResponseStreamingError(error="cut"),
        boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        boto.HTTPClientError(error="so it is"),
        boto.SSLError(endpoint_url=URL, error="UNEXPECTED_EOF_WHILE_READING"),
        ProtocolError("cut"),
        ConnectionResetError(),
        *(answer(code) for code in (*_MEANINGS, "InvalidArgument", "unknown")),
    ],
    ids=repr,
)
def test_every_message_ends_with_a_next_step_and_repeats_no_url(error: Exception) -> None:
    failures = Failures("https://s3.example.org/shelf/", "shelf")
    with pytest.raises(DataBackendError) as caught, failures.translated("list objects"):
        raise error
    _, _, step = str(caught.value).partition("; ")
    assert step, str(caught.value)
    assert "list-type" not in str(caught.value)
    assert "{" not in step


@pytest.mark.parametrize(
    ("code", "settings", "advice"),
    [
        (
            "InvalidArgument",
            {"storage_class": "NOSUCH"},
            "the server may not know storage_class = NOSUCH; correct what is wrong, or leave it out",
        ),
        (
            "InvalidRequest",
            {"storage_class": "COLD", "server_side_encryption": "aws:kms", "kms_key_id": "k"},
            "the server may not know storage_class = COLD or server_side_encryption = aws:kms or kms_key_id = k; correct",
        ),
        (
            "NotImplemented",
            {"server_side_encryption": "AES256"},
            "may not know server_side_encryption = AES256; correct",
        ),
        ("InvalidArgument", {}, "the server refuses this request; look up the code in its manual or its log"),
        ("SlowDown", {"storage_class": "NOSUCH"}, "the server is busy or disturbed; look at it"),
    ],
)
def test_a_refused_blob_names_the_settings_that_its_request_carried(
    scripted: Scripted, code: str, settings: dict[str, str], advice: str
) -> None:
    scripted.answers = [LISTING, Answer.error(400, code)]
    with (
        scripted.server.open("shelf", conditional_writes="no", **settings) as store,
        pytest.raises(DataBackendError) as caught,
    ):
        put_new(store)
    assert advice in str(caught.value)


def test_a_refused_document_does_not_name_the_class_of_blobs(scripted: Scripted) -> None:
    scripted.answers = [LISTING, Answer.error(400, "InvalidArgument")]
    with (
        scripted.server.open("shelf", storage_class="COLD") as store,
        pytest.raises(DataBackendError, match="look up the code") as caught,
    ):
        store.write_document("store.json", b"{}")
    assert "COLD" not in str(caught.value)


def test_a_gateway_without_this_storage_class_or_key_service(
    gateway: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    for key, value in (("storage_class", "NOSUCH"), ("server_side_encryption", "aws:kms")):
        with (
            gateway.open(gateway.make_bucket(), **{key: value}) as store,
            pytest.raises(DataBackendError, match=f"may not know {key} = {value}; correct what is wrong") as caught,
        ):
            put_new(store)
        assert not caught.value.retryable
    assert caplog.records == [], "what is refused is not the condition of the put"


def test_an_object_that_is_kept_names_a_next_step(scripted: Scripted) -> None:
    for code, advice in (
        ("AccessDenied", "wait until the lock ends, or give the right"),
        ("SlowDown", "look at it, or"),
    ):
        rows = f"<Error><Key>aaaa</Key><Code>{code}</Code><Message>so it is</Message></Error>"
        scripted.answers = [LISTING, Answer(200, f"<DeleteResult>{rows}</DeleteResult>".encode())]
        with (
            scripted.server.open("shelf") as store,
            pytest.raises(BlobsKeptError, match=f"aaaa: {code}: so it is; ") as caught,
        ):
            store.delete([new_uid()])
        assert advice in str(caught.value)
