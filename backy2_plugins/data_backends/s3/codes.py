"""The codes of errors that servers answer with, and what each means for whoever runs backups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """``advice``: what it means, a semicolon, the next step. ``passes``: the same request may succeed later;
    ``passes_later``: only if another one succeeded before, since it is a mistake in the configuration otherwise."""

    advice: str
    passes: bool = False
    passes_later: bool = False


FOREIGN = Meaning("the answer is not that of an S3 server; correct endpoint", passes_later=True)
UNKNOWN = Meaning("the server refuses this request; look up the code in its manual or its log")
UNSUPPORTED = Meaning("the server may not know {settings}; correct what is wrong, or leave it out")
UNABLE = Meaning("the server cannot do that; docs/s3.md says which settings servers may lack")
KEPT = "a lock holds it, or a right is missing; wait until the lock ends, or give the right (docs/s3.md)"

_BUSY = Meaning(
    "the server is busy or disturbed; look at it, or let fewer blobs go at once, then try again", passes=True
)
_CHANGED = Meaning("the bytes changed on their way; look at the network and at proxies on it", passes=True)
_FULL = Meaning("the quota or the server is full; raise it or make room, then continue the backup")
_KEY = Meaning("the server does not know this access key; correct access_key_id")
_TOKEN = Meaning("the temporary keys have run out; get new ones and continue the backup")
_DENIED = Meaning("these keys may not do that; docs/s3.md lists the rights that are needed on bucket {bucket}")
_REGION = Meaning("the bucket is in another region; set region to {region}, and look at endpoint")
_ELSEWHERE = Meaning("the server sends requests elsewhere; correct endpoint (is it https?) or region")

_MEANINGS = {
    "NoSuchBucket": Meaning("there is no bucket {bucket}; make it, or correct bucket"),
    "InvalidBucketName": Meaning("{bucket} is no name of a bucket; correct bucket"),
    "InvalidAccessKeyId": _KEY,
    "NotSignedUp": _KEY,
    "SignatureDoesNotMatch": Meaning(
        "secret_access_key is not the one of this access key, or something on the way changes requests; correct it or that",
        passes_later=True,
    ),
    "RequestTimeTooSkewed": Meaning("the clock of this machine or of the server is wrong; set it (NTP)"),
    "ExpiredToken": _TOKEN,
    "ExpiredTokenException": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "InvalidToken": Meaning("session_token does not belong to these keys; give all three anew"),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "Forbidden": _DENIED,
    "403": _DENIED,
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "InsufficientCapacity": _FULL,
    "StorageFull": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "507": _FULL,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _ELSEWHERE,
    "302": _ELSEWHERE,
    "307": _ELSEWHERE,
    "308": _ELSEWHERE,
    "InvalidObjectState": Meaning("the object is archived; bring it back with the server's own means first"),
    "InvalidStorageClass": Meaning("the server has no such storage class; correct storage_class"),
    "EntityTooLarge": Meaning("the server takes no object of this size; use a smaller block_size"),
    "NotImplemented": UNABLE,
    "BadDigest": _CHANGED,
    "InvalidDigest": _CHANGED,
    "XAmzContentSHA256Mismatch": _CHANGED,
    "IncompleteBody": _CHANGED,
    "RequestTimeout": _BUSY,
    "OperationAborted": _BUSY,
    "ConditionalRequestConflict": _BUSY,
    "PriorRequestNotComplete": _BUSY,
    "SlowDown": _BUSY,
    "SlowDownRead": _BUSY,
    "SlowDownWrite": _BUSY,
    "TooManyRequests": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "Throttling": _BUSY,
    "ThrottlingException": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "BandwidthLimitExceeded": _BUSY,
}
_BUSY_STATUS = (408, 429, 500, 502, 503, 504)


def meaning_of(code: str, status: int) -> Meaning | None:
    """What an error means, by its code, else by the HTTP status; None for one that says nothing known."""
    known = _MEANINGS.get(code) or _MEANINGS.get(str(status) if code.isdigit() or not code else "")
    return known or (_BUSY if status in _BUSY_STATUS else None)
