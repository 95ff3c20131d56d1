"""The requests about single objects of one bucket: put, get, size, delete, each checked and translated."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import time
import zlib
from typing import Any

from botocore.exceptions import ClientError

from backy2_core.api import BlobDamagedError, DataBackendError
from backy2_plugins.data_backends.s3.body import Body
from backy2_plugins.data_backends.s3.client import make_client
from backy2_plugins.data_backends.s3.failures import Failures, code_of
from backy2_plugins.data_backends.s3.options import S3Options

_PIECE = 256 * 1024
_MOST_TIMEOUTS = 5
"""An answer that trickles in, never late enough for a time-out, is given up after so many of them."""
_CHECKSUM = "crc32"
"""Name of the metadata of each object of ours, by which a get tells bytes that changed on their way."""

_SETTINGS = {
    "StorageClass": "storage_class",
    "ServerSideEncryption": "server_side_encryption",
    "SSEKMSKeyId": "kms_key_id",
}
"""What a put may ask for that servers may not know, and the settings that say so."""


class Bucket:
    """The bucket of one store; keys are those behind the store's prefix.

    The first request of all is a listing of one key, which tells a wrong configuration from a missing object. Threads: all
    methods may be called from several threads at once. Errors: :class:`DataBackendError`, ``retryable`` where it may pass.
    """

    def __init__(self, options: S3Options) -> None:
        self.options = options
        self.name = options.bucket
        self.failures = Failures(options.location, options.bucket)
        self.client = make_client(options)
        self._reaching = threading.Lock()
        self._closed = False

    def full_key(self, key: str) -> str:
        """The key as the server knows it."""
        return f"{self.options.prefix}{key}"

    def close(self) -> None:
        """Close all connections; every later call raises an error. Calling it twice does nothing."""
        self._closed = True
        self.client.close()

    def reach(self) -> None:
        """Make sure, once, that there is an S3 server with this bucket, and that these keys may look into it."""
        if self._closed:
            raise DataBackendError(f"the store {self.options.location} was closed")
        if self.failures.accepted:
            return
        with self._reaching:
            if not self.failures.accepted:
                with self.failures.translated("look into the bucket"):
                    self.client.list_objects_v2(Bucket=self.name, Prefix=self.options.prefix, MaxKeys=1)
                self.failures.accepted = True

    def put(self, key: str, data: memoryview | bytes, *, only_new: bool = False, storage_class: str = "") -> bool:
        """Store an object, durable on return. False if it was there already, with ``only_new``."""
        self.reach()
        body = Body(data)
        arguments = self._put_arguments(key, data, only_new, storage_class)
        asked_for = [f"{name} = {arguments[word]}" for word, name in _SETTINGS.items() if word in arguments]
        try:
            with self.failures.translated(f"store {key}", asked_for):
                self.client.put_object(Body=body, **arguments)
        except DataBackendError as error:
            if only_new and _has_code(error, "PreconditionFailed", "412"):
                return False
            raise
        finally:
            body.release()
        return True

    def get_into(self, key: str, buffer: memoryview) -> int | None:
        """Read an object into ``buffer``; its length, or None if there is none.

        Raises :class:`BlobDamagedError` if it is longer than the buffer or if its bytes are not those that were put; since
        these may have changed on their way, the latter is worth another try.
        """
        self.reach()
        with self.failures.translated(f"read {key}"):
            answer = self._open(key)
            if answer is None:
                return None
            with contextlib.closing(answer["Body"]) as body:
                size: int = answer["ContentLength"]
                if size > len(buffer):
                    raise BlobDamagedError(
                        f"{self.options.location}{key} has {size} bytes; expected at most {len(buffer)}"
                    )
                self._fill(key, body, buffer[:size])
        self._check(key, answer, buffer[:size])
        return size

    def get(self, key: str) -> bytes | None:
        """A small object, or None."""
        self.reach()
        with self.failures.translated(f"read {key}"):
            answer = self._open(key)
            if answer is None:
                return None
            data = bytearray(answer["ContentLength"])
            with contextlib.closing(answer["Body"]) as body:
                self._fill(key, body, memoryview(data))
        self._check(key, answer, data)
        return bytes(data)

    def size(self, key: str) -> int | None:
        """Length of an object, or None if there is none."""
        self.reach()
        with self.failures.translated(f"look at {key}"):
            try:
                return int(self.client.head_object(Bucket=self.name, Key=self.full_key(key))["ContentLength"])
            except ClientError as error:
                if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
                    raise
            # An answer to HEAD says no reason: the bucket may be what is missing, or the server another one.
            answer = self._open(key)
            if answer is not None:
                answer["Body"].close()
            return None if answer is None else int(answer["ContentLength"])

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        self.reach()
        with self.failures.translated(f"delete {key}"):
            self.client.delete_object(Bucket=self.name, Key=self.full_key(key))

    def _put_arguments(self, key: str, data: memoryview | bytes, only_new: bool, storage_class: str) -> dict[str, Any]:
        options, crc32 = self.options, zlib.crc32(data)
        arguments: dict[str, Any] = {
            "Bucket": self.name,
            "Key": self.full_key(key),
            "Metadata": {_CHECKSUM: f"{crc32:08x}"},
        }
        if options.upload_checksum == "md5":
            arguments["ContentMD5"] = _base64(hashlib.md5(data, usedforsecurity=False).digest())
        elif options.upload_checksum == "crc32":
            arguments["ChecksumCRC32"] = _base64(crc32.to_bytes(4, "big"))
        if options.server_side_encryption:
            arguments["ServerSideEncryption"] = options.server_side_encryption
        if options.kms_key_id:
            arguments["SSEKMSKeyId"] = options.kms_key_id
        if storage_class:
            arguments["StorageClass"] = storage_class
        return arguments | ({"IfNoneMatch": "*"} if only_new else {})

    def _open(self, key: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self.client.get_object(Bucket=self.name, Key=self.full_key(key))
        except ClientError as error:
            # Nothing else proves that the object is missing: any server has a page for what it does not know.
            if code_of(error) == "NoSuchKey":
                return None
            raise
        if not isinstance(answer.get("ContentLength"), int):
            answer["Body"].close()
            raise DataBackendError(
                f"cannot read {key} in {self.options.location}: its length was not told; look at proxies on the way",
                retryable=True,
            )
        return answer

    def _fill(self, key: str, body: Any, buffer: memoryview) -> None:
        give_up_at, at = time.monotonic() + _MOST_TIMEOUTS * self.options.timeout_s, 0
        while at < len(buffer):
            count = body.readinto(buffer[at : at + _PIECE])
            at += count
            if not count or time.monotonic() > give_up_at:
                why = "the server was too slow" if count else "the connection ended"
                raise DataBackendError(
                    f"cannot read {key} in {self.options.location}: {why} after {at} of {len(buffer)} bytes; look at the"
                    " server and at the way to it, or raise timeout",
                    retryable=True,
                )

    def _check(self, key: str, answer: dict[str, Any], data: memoryview | bytearray) -> None:
        expected = answer.get("Metadata", {}).get(_CHECKSUM)
        if expected is not None and expected != f"{zlib.crc32(data):08x}":
            raise BlobDamagedError(
                f"{self.options.location}{key} is not as it was stored: its CRC-32 is {zlib.crc32(data):08x}, {expected} was"
                " stored",
                retryable=True,
            )


def _has_code(error: DataBackendError, *codes: str) -> bool:
    return isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in codes


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
