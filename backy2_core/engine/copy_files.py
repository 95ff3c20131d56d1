"""The documents that versions leave in the store: their names, and the one place where their bytes pass.

``versions/UID.json`` says that the store holds data of that version, from before the version becomes valid until it is
removed; it is the version's *marker* and the head of its metadata *copy*. ``maps/UID.XXXXXXXX-NNNN.pack`` are *packs*:
pieces of block maps, written for the version UID, that the documents of later versions may refer to as well. A pack is never
changed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.model.version import VersionUid

VERSIONS = "versions/"
MAPS = "maps/"

_SUFFIX = ".json"
_PACK = re.compile(rf"{MAPS}(?P<uid>[a-z0-9-]+)\.[0-9a-f]{{8}}-[0-9]+\.pack")


def read_file(data: DataBackend, name: str) -> bytes | None:
    """The bytes of a document of a version, or of a pack; None if there is none."""
    return data.read_document(name)


def write_head(data: DataBackend, uid: VersionUid, content: bytes) -> None:
    """Write the document of a version, in place of an older one; atomic, and durable on return."""
    data.write_document(head_name(uid), content)


def read_head(data: DataBackend, uid: VersionUid) -> bytes | None:
    """The document of a version, or None."""
    return read_file(data, head_name(uid))


def delete_head(data: DataBackend, uid: VersionUid) -> None:
    """Delete the document of a version; no error if it is not there."""
    data.delete_document(head_name(uid))


def marked_versions(data: DataBackend) -> Iterator[VersionUid]:
    """Uids of the versions that the store knows of."""
    for name in data.list_documents(VERSIONS):
        yield VersionUid(name.removeprefix(VERSIONS).removesuffix(_SUFFIX))


def head_name(uid: VersionUid) -> str:
    """Name of the document of a version."""
    return f"{VERSIONS}{uid}{_SUFFIX}"


def pack_names(uid: VersionUid) -> Iterator[str]:
    """Names for the packs of one copy of this version, never used before.

    A version may be copied more than once (it was continued, or its copy was lost), and none may write over the other's.
    """
    stem, number = f"{MAPS}{uid}.{secrets.token_hex(4)}", 0
    while True:
        yield f"{stem}-{number:04d}.pack"
        number += 1


def write_pack(data: DataBackend, name: str, content: bytes) -> None:
    """Write a pack; atomic, and durable on return."""
    data.create_document(name, content)


def stored_packs(data: DataBackend) -> Iterator[tuple[str, VersionUid]]:
    """Names of all packs in the store, each with the version it was written for."""
    for name in data.list_documents(MAPS):
        found = _PACK.fullmatch(name)
        if found:
            yield name, VersionUid(found["uid"])


def delete_pack(data: DataBackend, name: str) -> None:
    """Delete a pack; no error if it is not there."""
    data.delete_document(name)
