"""Where in a store what is: names of blobs and documents, and their paths below the store's folder."""

from __future__ import annotations

import re

from backy2_core.api import DataBackendError

BLOB_SUFFIX = ".blob"
DOCUMENT_FOLDER = "backy2"
"""Six letters: never one of the two-letter folders of blobs."""
STAGING_FOLDER = ".backy2-tmp"

_UID = re.compile(r"[0-9A-Za-z_-]{4,200}")
_DOCUMENT_PART = re.compile(r"[a-z0-9._-]{1,200}")


def blob_path(uid: str) -> str:
    """Path of a blob's file: ``aa/bb/aabb....blob``. Uids come from databases too, so each is checked here."""
    if not _UID.fullmatch(uid):
        raise DataBackendError(f"{uid!r} cannot be the uid of a blob: expected 4 to 200 letters and digits")
    return f"{uid[:2]}/{uid[2:4]}/{uid}{BLOB_SUFFIX}"


def uid_of(folder: str, subfolder: str, file_name: str) -> str | None:
    """The uid of the blob that a file in ``folder/subfolder`` is, or None if it is none that could be read back."""
    uid = file_name.removesuffix(BLOB_SUFFIX)
    if uid == file_name or not _UID.fullmatch(uid):
        return None
    return uid if (uid[:2], uid[2:4]) == (folder, subfolder) else None


def document_path(name: str) -> str:
    """Path of a document's file."""
    for part in name.split("/"):
        if not _DOCUMENT_PART.fullmatch(part) or part in (".", ".."):
            raise DataBackendError(f"{name!r} cannot be the name of a document: expected parts of a-z 0-9 . _ -")
    return f"{DOCUMENT_FOLDER}/{name}"
