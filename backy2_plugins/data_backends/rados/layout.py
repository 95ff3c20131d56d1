"""Where in a pool what is: namespaces, and names of objects.

In NAMESPACE each blob is an object of its uid's name, or, where it is too large for one object, ``UID.large`` (see
:mod:`backy2_plugins.data_backends.rados.large`), whose parts are in NAMESPACE.parts. Documents are in
NAMESPACE.documents, each an object of its name. Only whole objects are written, compared and read: no attributes and no
maps, which erasure coded pools do not have.
"""

from __future__ import annotations

import re

from backy2_core.api import DataBackendError

PARTS = ".parts"
DOCUMENTS = ".documents"
LARGE = ".large"

_UID = re.compile(r"[0-9A-Za-z_-]{4,200}")
_DOCUMENT_PART = re.compile(r"[a-z0-9._-]{1,200}")


def blob_name(uid: str) -> str:
    """Name of a blob's object. Uids come from databases too, so each is checked here."""
    if not _UID.fullmatch(uid):
        raise DataBackendError(f"{uid!r} cannot be the uid of a blob: expected 4 to 200 letters and digits")
    return uid


def is_blob(name: str) -> bool:
    """True for the name of an object that is a blob as a whole."""
    return _UID.fullmatch(name) is not None


def head_name(uid: str) -> str:
    """Name of the object that stands for a blob in parts."""
    return blob_name(uid) + LARGE


def uid_of_head(name: str) -> str | None:
    """The uid of the blob that the head of this name stands for; None for the name of another object."""
    uid = name.removesuffix(LARGE)
    return uid if uid != name and _UID.fullmatch(uid) else None


def part_name(uid: str, token: str, number: int) -> str:
    """Name of a part of a blob, in the namespace of parts; ``token`` is drawn anew by each who writes."""
    return f"{uid}.{token}.{number:04d}"


def document_name(name: str) -> str:
    """Name of a document's object."""
    if not is_document(name):
        raise DataBackendError(f"{name!r} cannot be the name of a document: expected parts of a-z 0-9 . _ -")
    return name


def is_document(name: str) -> bool:
    """True if a document can have this name."""
    return all(_DOCUMENT_PART.fullmatch(part) and part not in (".", "..") for part in name.split("/"))
