"""The settings of one store, checked together and put into a value."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from backy2_core.api import ConfigError, Secret, Settings

_NO = ("", "0", "no", "off", "false")
_ADDRESSING_STYLES = ("auto", "path", "virtual")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is written in the section; whatever is None, boto3 looks for elsewhere."""

    access_key_id: str | None
    secret_access_key: Secret | None
    session_token: Secret | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where the store is and how it is spoken to. ``endpoint`` and ``region`` are None where boto3 decides."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    addressing_style: str
    verify_tls: bool
    ca_file: str | None
    credentials: Credentials
    storage_class: str
    server_side_encryption: str
    kms_key_id: str
    upload_checksum: str
    conditional_writes: str
    multi_delete: bool
    delete_versions: bool
    encoded_listings: bool
    timeout_s: float
    reads: int
    writes: int

    @property
    def location(self) -> str:
        """Where the store is, for people."""
        return f"{self.endpoint or 's3:/'}/{self.bucket}/{self.prefix}"


def options_of(settings: Settings) -> S3Options:
    """The options that the settings mean. Raises :class:`ConfigError` for what cannot be meant together."""
    endpoint = _endpoint(settings)
    if settings["upload_checksum"] == "none" and (endpoint or "").startswith("http:"):
        raise _wrong("upload_checksum", "none leaves it to TLS, and endpoint is http; write sha256, md5 or crc32")
    if settings["kms_key_id"] and settings["server_side_encryption"] != "aws:kms":
        raise _wrong("kms_key_id", "it is used with server_side_encryption = aws:kms only")
    return S3Options(
        bucket=_bucket(settings["bucket"]),
        prefix=_prefix(settings["prefix"]),
        endpoint=endpoint,
        region=settings["region"] or None,
        addressing_style=_addressing_style(settings, endpoint),
        verify_tls=settings["verify_tls"],
        ca_file=_ca_file(settings["ca_file"]),
        credentials=_credentials(settings),
        storage_class=settings["storage_class"],
        server_side_encryption=""
        if settings["server_side_encryption"] == "none"
        else settings["server_side_encryption"],
        kms_key_id=settings["kms_key_id"],
        upload_checksum=settings["upload_checksum"],
        conditional_writes=settings["conditional_writes"],
        multi_delete=settings["multi_delete"],
        delete_versions=settings["delete_versions"],
        encoded_listings=settings["disable_encoding_type"].lower() in _NO,
        timeout_s=settings["timeout"],
        reads=settings["simultaneous_reads"],
        writes=settings["simultaneous_writes"],
    )


def _wrong(key: str, reason: str) -> ConfigError:
    return ConfigError(f"section [data_backend], key {key}: {reason}")


def _endpoint(settings: Settings) -> str | None:
    written, host, port = settings["endpoint"].rstrip("/"), settings["host"], settings["port"]
    if host and written:
        raise _wrong("host", "endpoint says it already; keep one of them")
    if host:
        written = f"{'https' if settings['is_secure'] else 'http'}://{host}" + (f":{port}" if port else "")
    if not written:
        return None
    parts = urlsplit(written)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _wrong(
            "endpoint", f"{written!r} is no URL of a server, such as https://s3.example.org or http://10.0.0.1:9000"
        )
    if parts.username is not None:
        raise _wrong("endpoint", "it holds a user; write access_key_id and secret_access_key instead")
    return str(written)


def _bucket(name: str) -> str:
    if not name or "/" in name:
        raise _wrong("bucket", f"{name!r} is no name of a bucket; what stands behind a slash is the key prefix")
    return name


def _prefix(prefix: str) -> str:
    if prefix.startswith("/") or "//" in prefix or not prefix.isprintable():
        raise _wrong(
            "prefix", f"{prefix!r} begins with a slash, or holds two of them together; expected such as host1/"
        )
    return prefix


def _addressing_style(settings: Settings, endpoint: str | None) -> str:
    # Not by the setting's choices: the original took an empty text for its default.
    style: str = settings["addressing_style"] or "auto"
    if style not in _ADDRESSING_STYLES:
        raise _wrong("addressing_style", f"{style!r} is none of {', '.join(_ADDRESSING_STYLES)}")
    # A server of one's own rarely has a name in the DNS for each bucket.
    return "path" if style == "auto" and endpoint else style


def _ca_file(path: str | None) -> str | None:
    if not path:
        return None
    import ssl  # takes longer to load than the rest of this module, and few need it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise _wrong(
            "ca_file",
            f"{path} holds no certificates in PEM ({error.reason or error}); give a file with that of the "
            "authority from which the server's is, between BEGIN CERTIFICATE and END CERTIFICATE",
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise _wrong("ca_file", f"{path} cannot be read: {reason}; expected a file of certificates in PEM") from error
    return path


def _credentials(settings: Settings) -> Credentials:
    key = settings["access_key_id"] or _read(settings, "access_key_id")
    secret = settings["secret_access_key"]
    if secret is None or not secret.reveal():
        text = _read(settings, "secret_access_key")
        secret = Secret(text) if text else None
    if bool(key) != (secret is not None):
        missing = "secret_access_key" if key else "access_key_id"
        raise _wrong(missing, "it is missing; both access_key_id and secret_access_key are needed, or none of them")
    token = settings["session_token"]
    return Credentials(key or None, secret, token if token and token.reveal() else None, settings["profile"] or None)


def _read(settings: Settings, key: str) -> str:
    path = settings[f"{key}_file"]
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise _wrong(f"{key}_file", f"{path} cannot be read: {reason}") from None  # the other error quotes the text
