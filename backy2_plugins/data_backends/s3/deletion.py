"""Deleting many objects: in bulk where the server can, with their versions where that is wished.

What cannot be deleted (an object lock holds it, or these keys may not) does not keep the others from going.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from botocore.exceptions import ClientError

from backy2_core.api import BlobsKeptError, BlobUid
from backy2_plugins.data_backends.s3.bucket import Bucket
from backy2_plugins.data_backends.s3.failures import code_of

_BATCH = 1000
_NOT_THERE = ("NoSuchKey", "NoSuchVersion", "404")
_REFUSALS = ("AccessDenied", "InvalidRequest", "MethodNotAllowed", "ObjectLocked")
"""Codes that may be meant for one object; any other error of a request for one object is one for all."""


def delete_objects(bucket: Bucket, uids: Sequence[BlobUid]) -> None:
    """Delete blobs, whose keys are their uids. Raises :class:`BlobsKeptError` for those that stay, when all were tried."""
    bucket.reach()
    kept: dict[str, tuple[str, bool]] = {}
    objects = _versions(bucket, uids) if bucket.options.delete_versions else ({"Key": bucket.full_key(u)} for u in uids)
    while batch := list(islice(objects, _BATCH)):
        kept |= _delete_together(bucket, batch) if bucket.options.multi_delete else _delete_singly(bucket, batch)
    if kept:
        skip = len(bucket.options.prefix)
        reasons = {BlobUid(key[skip:]): reason for key, (reason, _) in kept.items()}
        raise BlobsKeptError(_message(bucket, reasons), tuple(reasons), retryable=any(p for _, p in kept.values()))


def _message(bucket: Bucket, reasons: Mapping[BlobUid, str]) -> str:
    uid, reason = next(iter(reasons.items()))
    return f"{len(reasons)} blobs in {bucket.options.location} cannot be deleted and stay, such as {uid}: {reason}"


def _versions(bucket: Bucket, uids: Sequence[BlobUid]) -> Iterator[dict[str, str]]:
    """Every version and every delete marker of these blobs."""
    for uid in uids:
        key = bucket.full_key(uid)
        pages = bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=key)
        with bucket.failures.translated(f"list the versions of {uid}"):
            for page in pages:
                for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if row["Key"] == key:
                        yield {"Key": key, "VersionId": row["VersionId"]}


def _delete_together(bucket: Bucket, batch: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, bool]]:
    """The keys that stay, each with the reason and whether it may pass."""
    with bucket.failures.translated(f"delete {len(batch)} objects"):
        answer = bucket.client.delete_objects(Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True})
    return {
        row["Key"]: bucket.failures.refusal(row.get("Code", ""), row.get("Message", ""))
        for row in answer.get("Errors", ())
        if row.get("Code") not in _NOT_THERE
    }


def _delete_singly(bucket: Bucket, batch: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, bool]]:
    kept = {}
    for names in batch:
        with bucket.failures.translated(f"delete {names['Key']}"):
            try:
                bucket.client.delete_object(Bucket=bucket.name, **names)
            except ClientError as error:
                if code_of(error) not in _REFUSALS:
                    raise
                message = error.response["Error"].get("Message", "")
                kept[names["Key"]] = bucket.failures.refusal(code_of(error), message)
    return kept
