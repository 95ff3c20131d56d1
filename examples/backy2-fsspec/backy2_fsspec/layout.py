"""Where in a store what is: the layout of backy2's data backend ``file``, so that a store can be moved to and fro."""

from __future__ import annotations

import re

from backy2_core.api import BlobUid, DataBackendError

BLOB_SUFFIX = ".blob"
DOCUMENT_FOLDER = "backy2"
TEMPORARY_FOLDER = ".backy2-tmp"

_UID = re.compile(r"[0-9A-Za-z_-]{4,200}")
_DOCUMENT_PART = re.compile(r"[a-z0-9._-]{1,200}")
_TEMPORARY = re.compile(r"fsspec-([0-9]{1,12})-[0-9a-f]{16}")


def blob_path(uid: str) -> str:
    """Path of a blob's file below the store's folder: ``aa/bb/aabb....blob``."""
    if not _UID.fullmatch(uid):
        raise DataBackendError(f"{uid!r} cannot be the uid of a blob: expected 4 to 200 letters and digits")
    return f"{uid[:2]}/{uid[2:4]}/{uid}{BLOB_SUFFIX}"


def uid_of(path: str) -> BlobUid | None:
    """The uid of the blob at ``path`` below the store's folder; None if that is none of a blob."""
    uid = path.rpartition("/")[2].removesuffix(BLOB_SUFFIX)
    return BlobUid(uid) if _UID.fullmatch(uid) and blob_path(uid) == path else None


def document_path(name: str) -> str:
    """Path of a document's file below the store's folder."""
    for part in name.split("/"):
        if not _DOCUMENT_PART.fullmatch(part) or part in (".", ".."):
            raise DataBackendError(f"{name!r} cannot be the name of a document: expected parts of a-z 0-9 . _ -")
    return f"{DOCUMENT_FOLDER}/{name}"


def temporary_name(now_s: float, token: str) -> str:
    """A name in the temporary folder that tells when it was made; ``token`` has 16 hexadecimal digits."""
    return f"fsspec-{int(now_s)}-{token}"


def made_at(name: str) -> int | None:
    """When a temporary file was made, in seconds since 1970; None if it is none of ours."""
    match = _TEMPORARY.fullmatch(name)
    return int(match[1]) if match else None
