"""What went wrong between this machine and the server, said so that somebody can act on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.s3.codes import Meaning, meaning_of

_TLS = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted; give the right ca_file, or correct endpoint"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS there; correct the port, or write http:// in endpoint"),
    ("RECORD_LAYER_FAILURE", "it does not speak TLS there; correct the port, or write http:// in endpoint"),
)
_FOREIGN = Meaning("the answer is not that of an S3 server; correct endpoint", passes_later=True)
_KEYS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError, boto.TokenRetrievalError)
_PASSING = (
    boto.ConnectTimeoutError,
    boto.ReadTimeoutError,
    boto.ConnectionClosedError,
    boto.EndpointConnectionError,
    boto.ProxyConnectionError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.HTTPClientError,
    boto.ConnectionError,
    HTTPError,
    OSError,
)


class Failures:
    """Makes errors of our tree from those of boto3, for one store.

    It remembers whether the server ever took a request: an unknown host or an answer that makes no sense is a mistake in the
    configuration before that, and a passing disturbance afterwards.
    """

    def __init__(self, location: str, bucket: str) -> None:
        self._location = location
        self._bucket = bucket
        self.accepted = False

    @contextlib.contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Raise :class:`DataBackendError` for whatever boto3 raises within; ``action`` says what was being done."""
        try:
            yield
        except (boto.BotoCoreError, boto.ClientError, HTTPError, OSError) as error:
            raise self.failure(action, error) from error

    def failure(self, action: str, error: Exception) -> DataBackendError:
        """The error to raise for ``error``."""
        reason, retryable = self._explain(error)
        return DataBackendError(f"cannot {action} in {self._location}: {reason}", retryable=retryable)

    def refusal(self, code: str, message: str) -> tuple[str, bool]:
        """Why the server refused to do something with one object of many, and whether that may pass."""
        meaning = meaning_of(code, 0)
        return f"{code}: {message}" if message else code, meaning is not None and meaning.passes

    def _explain(self, error: Exception) -> tuple[str, bool]:
        if isinstance(error, boto.ClientError):
            return self._explain_answer(error.response)
        if isinstance(error, boto.SSLError):
            advice = next((advice for word, advice in _TLS if word in str(error).upper().replace(" ", "_")), None)
            return (advice, False) if advice else (f"{error}", True)
        if isinstance(error, boto.EndpointConnectionError) and _unknown_host(error):
            return "the name of the server is not known; correct endpoint, or look at this machine's DNS", self.accepted
        if isinstance(error, _KEYS):
            return f"{error}; give access_key_id and secret_access_key, or keys where boto3 looks for them", False
        if isinstance(error, boto.ParamValidationError):
            return f"{error}; correct bucket or prefix", False
        if isinstance(error, boto.BotoCoreError) and "arse" in type(error).__name__:
            return _FOREIGN.advice, self.accepted
        return f"{error or type(error).__name__}", isinstance(error, _PASSING)

    def _explain_answer(self, response: Any) -> tuple[str, bool]:
        about = response.get("ResponseMetadata", {})
        headers, status = about.get("HTTPHeaders", {}), about.get("HTTPStatusCode", 0)
        code, message = response["Error"].get("Code") or "", response["Error"].get("Message") or ""
        meaning = self._meaning(code, status, headers.get("content-type", ""))
        region = (
            response["Error"].get("Region") or headers.get("x-amz-bucket-region") or "the one that the server names"
        )
        said = f"{code or status}: {message}" if message else f"{code or status}"
        advice = meaning.advice.format(bucket=self._bucket, region=region)
        return f"{said}; {advice}" if advice else said, meaning.passes or (meaning.passes_later and self.accepted)

    def _meaning(self, code: str, status: int, content_type: str) -> Meaning:
        nameless = code.isdigit() or not code
        # To boto3 a page that is no answer to a listing is an error 500 of the server.
        if nameless and status == 500 and "html" in content_type and not self.accepted:
            return _FOREIGN
        return meaning_of(code, status) or (_FOREIGN if nameless else Meaning())


def code_of(error: boto.ClientError) -> str:
    """The server's word for what went wrong, or the number of the HTTP status."""
    return str(error.response["Error"].get("Code", ""))


def _unknown_host(error: boto.EndpointConnectionError) -> bool:
    text = str(error.kwargs.get("error", ""))
    return "NameResolution" in text or "Failed to resolve" in text or "not known" in text
