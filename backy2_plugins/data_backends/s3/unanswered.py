"""What it means if no answer came, or none that could be read, and what to do about it."""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from backy2_plugins.data_backends.s3.codes import FOREIGN

_NO_TLS = "it does not speak TLS there; correct the port, or write http:// in endpoint"
_TRUST = "the file of trusted certificates cannot be used ({}); correct ca_file, or the variable AWS_CA_BUNDLE"
_TLS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; give the right ca_file, or correct endpoint",
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "NO_CERTIFICATE_OR_CRL_FOUND": _TRUST,
    "[PEM:": _TRUST,
    "[ERRNO_2]": _TRUST,
    "[ERRNO_13]": _TRUST,
    "[ERRNO_21]": _TRUST,
}
"""By what OpenSSL says, with spaces as underscores; the last three come from opening the file."""
_KEYS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError, boto.TokenRetrievalError)
_LOOK = "look at the server and at the way to it, then try again"
_PASSING = (boto.IncompleteReadError, boto.HTTPClientError, boto.ConnectionError, HTTPError, OSError)


def why_unanswered(error: Exception, accepted: bool) -> tuple[str, bool]:
    """The reason with the next step, and whether the same request may succeed later.

    ``accepted``: the server took a request before, so the configuration is right.
    """
    if isinstance(error, boto.SSLError):
        return _without_tls(error)
    if isinstance(error, boto.EndpointConnectionError) and _unknown_host(error):
        return "the name of the server is not known; correct endpoint, or look at this machine's DNS", accepted
    if isinstance(error, _KEYS):
        return f"{error}; give access_key_id and secret_access_key, or keys where boto3 looks for them", False
    if isinstance(error, boto.ParamValidationError):
        return f"{error}; correct bucket or prefix", False
    if isinstance(error, boto.BotoCoreError) and "arse" in type(error).__name__:
        return FOREIGN.advice, accepted
    if isinstance(error, _PASSING):
        return _without_connection(error), True
    return f"{error or type(error).__name__}; correct the keys of section [data_backend]", False


def _without_connection(error: Exception) -> str:
    server = _server(error)
    if isinstance(error, boto.ProxyConnectionError):
        return f"{error}; correct the variable HTTP_PROXY or HTTPS_PROXY, or name the server in NO_PROXY"
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        reason = _reason(error)
        said = f" ({reason})" if reason else ""
        return f"nothing answers at {server}{said}; check endpoint (host, port), and that the server runs"
    if isinstance(error, boto.ReadTimeoutError):
        return f"{server} did not answer within timeout; {_LOOK}, or raise timeout"
    if isinstance(error, boto.ConnectionClosedError):
        return f"the connection to {server} was cut before the answer; {_LOOK}"
    return f"the connection was lost ({error or type(error).__name__}); {_LOOK}"


def _without_tls(error: boto.SSLError) -> tuple[str, bool]:
    said = str(error.kwargs.get("error") or error)
    words = said.upper().replace(" ", "_")
    advice = next((advice for word, advice in _TLS.items() if word in words), None)
    if advice:
        return advice.format(said), False
    return f"TLS with {_server(error)} failed ({said}); look at endpoint, and at the server's log", True


def _server(error: Exception) -> str:
    """The endpoint of the request; what else stands in its URL, our messages say already."""
    url = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or ""))
    return f"{url.scheme}://{url.netloc}" if url.netloc else "the server"


def _reason(error: boto.BotoCoreError) -> str:
    """What the system says of a connection that it could not make."""
    cause = getattr(error.kwargs.get("error"), "__cause__", None)
    return cause.strerror or "" if isinstance(cause, OSError) else ""


def _unknown_host(error: boto.EndpointConnectionError) -> bool:
    text = str(error.kwargs.get("error", ""))
    return "NameResolution" in text or "Failed to resolve" in text or "not known" in text
