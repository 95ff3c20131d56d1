"""Where in a bucket what is: keys of blobs and documents, below the store's prefix."""

from __future__ import annotations

import re

from backy2_core.api import DataBackendError

DOCUMENTS = "backy2/"
"""Documents have a slash in their keys, blobs have none behind the prefix."""
PROBE = "backy2/PROBE"
"""The object by which it is found out what the server can do; no document has capital letters in its name."""

_UID = re.compile(r"[0-9A-Za-z_-]{4,200}")
_DOCUMENT_PART = re.compile(r"[a-z0-9._-]{1,200}")


def blob_key(uid: str) -> str:
    """Key of a blob behind the prefix: its uid. Uids come from databases too, so each is checked here."""
    if not _UID.fullmatch(uid):
        raise DataBackendError(f"{uid!r} cannot be the uid of a blob: expected 4 to 200 letters and digits")
    return uid


def is_blob(name: str) -> bool:
    """True if a key, without the prefix, is that of a blob that could be read back."""
    return _UID.fullmatch(name) is not None


def document_key(name: str) -> str:
    """Key of a document behind the prefix."""
    if not is_document(name):
        raise DataBackendError(f"{name!r} cannot be the name of a document: expected parts of a-z 0-9 . _ -")
    return f"{DOCUMENTS}{name}"


def is_document(name: str) -> bool:
    """True if a document can have this name."""
    return all(_DOCUMENT_PART.fullmatch(part) and part not in (".", "..") for part in name.split("/"))
