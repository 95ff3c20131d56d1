"""The client of boto3: one for all threads, with one pool of connections, and no retries of its own."""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.handlers import set_list_objects_encoding_type_url
from urllib3.exceptions import InsecureRequestWarning

from backy2_core.api import ConfigError
from backy2_plugins.data_backends.s3.options import S3Options

log = logging.getLogger(__name__)

_SPARE_CONNECTIONS = 4
"""For documents, listings and deletions beside all reads and writes."""
_LISTING = "before-parameter-build.s3.ListObjectsV2"


def make_client(options: S3Options) -> Any:
    """A client as the options say; asks nothing of any server. Raises :class:`ConfigError`."""
    keys = options.credentials
    try:
        session = boto3.session.Session(
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key.reveal() if keys.secret_access_key else None,
            aws_session_token=keys.session_token.reveal() if keys.session_token else None,
            region_name=options.region,
            profile_name=keys.profile,
        )
        client = session.client(
            "s3",
            endpoint_url=options.endpoint,
            region_name=options.region or session.region_name or ("us-east-1" if options.endpoint else None),
            verify=options.ca_file
            if options.verify_tls
            else False,  # None: boto3's own certificates, or $AWS_CA_BUNDLE
            config=_config(options),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(
            f"section [data_backend]: {error}; correct the keys of the store {options.location}"
        ) from error
    if not options.verify_tls:
        urllib3.disable_warnings(InsecureRequestWarning)  # one line of ours says it once
        log.warning("The certificate of %s is not checked (verify_tls).", options.location)
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    client.meta.events.register_last("before-parameter-build.s3", _follow_no_redirection)
    if not options.encoded_listings:
        client.meta.events.unregister(_LISTING, set_list_objects_encoding_type_url)
    return client


def _config(options: S3Options) -> Config:
    return Config(
        signature_version="s3v4",
        s3={
            "addressing_style": options.addressing_style,
            "payload_signing_enabled": options.upload_checksum == "sha256",
        },
        connect_timeout=options.timeout_s,
        read_timeout=options.timeout_s,
        max_pool_connections=options.reads + options.writes + _SPARE_CONNECTIONS,
        retries={"total_max_attempts": 1, "mode": "standard"},  # the wrapper around every data backend retries
        tcp_keepalive=True,
        # Its own checksums are not known to every server, and make it slower; see docs/decisions.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _add_md5(request: Any, **event: Any) -> None:
    """Deleting in bulk wants a checksum, and older servers know no other than this one."""
    if "Content-MD5" not in request.headers:
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def _follow_no_redirection(context: Any, **event: Any) -> None:
    """Every request would go twice, and without end where a server redirects all: the right region is to be configured."""
    context.get("s3_redirect", {})["redirected"] = True
