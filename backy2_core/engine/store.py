"""The store's identity, by which a store and a database are not taken for others.

``store.json`` carries it, made once: a JSON object, of which readers ignore keys they do not know.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.errors import StoreIdentityError
from backy2_core.model.blob import StoreId
from backy2_core.model.segment import SegmentId, blob_ids
from backy2_core.model.version import Version

log = logging.getLogger(__name__)

STORE_DOCUMENT = "store.json"
FORMAT = 1

_BATCH = 16
_VOLATILE = "volatile-"


def open_store(meta: MetaBackend, data: DataBackend, kind: str) -> StoreId:
    """The number of this store in the database; a new store is given an identity and registered.

    Raises :class:`StoreIdentityError` if the database knows another store at this place (a disk that is not mounted, a
    folder that was emptied or exchanged), or if the store's format is of a later release.
    """
    if not data.capabilities.persistent:
        # What keeps nothing cannot be taken for another: it is the same sink each time.
        return meta.register_store(_VOLATILE + kind, kind, data.location)
    identity = _identity(data)
    known = {info.location: info for info in meta.stores() if info.kind == kind}
    other = known.get(data.location)
    if other is not None and other.identity != identity:
        found = f"store {identity}" if identity else "no store of backy2"
        raise StoreIdentityError(
            f"At {data.location} the database expects store {other.identity}, but there is {found}. Is the right disk"
            " mounted, and is this the right database? A new store needs a path of its own."
        )
    _remark_another(meta, data, identity)
    return meta.register_store(identity or _new_identity(data), kind, data.location)


def _remark_another(meta: MetaBackend, data: DataBackend, identity: str | None) -> None:
    """Say so where a database comes to a store that it does not know, though it knows others: it may not be meant."""
    known = {info.identity: info.location for info in meta.stores() if not info.identity.startswith(_VOLATILE)}
    if known and identity not in known:
        log.warning(
            "The blobs so far are in %s; the store at %s is %s. If that is not meant, correct the section [data_backend]:"
            " blobs are shared within a store only",
            ", ".join(sorted(known.values())),
            data.location,
            "another one" if identity else "a new one",
        )


def check_place(meta: MetaBackend, stored_map: StoredMap, store: StoreId) -> None:
    """Refuse a version whose blobs are in another store than the one that is open: there nothing of it can be found.

    No backup mixes stores, so its first blob tells. Raises :class:`StoreIdentityError`.
    """
    found = store_of(meta, stored_map.ids())
    if found not in (None, store):
        raise StoreIdentityError(_elsewhere(meta, stored_map.version, found))


def store_of(meta: MetaBackend, segments: Iterable[SegmentId]) -> StoreId | None:
    """The store of the first blob of a map; None if it has none."""
    for some in batches(iter(segments), _BATCH):
        found = meta.read_segments(set(some))
        for data in (found[segment].data for segment in some if segment in found):
            for record in meta.read_blobs(sorted(blob_ids(data))[:1]).values():
                return record.store
    return None


def _elsewhere(meta: MetaBackend, version: Version, store: StoreId | None) -> str:
    places = [f"store {info.identity} ({info.kind}, {info.location})" for info in meta.stores() if info.id == store]
    return (
        f"The blobs of version {version.uid} are in {''.join(places) or 'an unknown store'}, which is not the one that is"
        " configured now. Nothing was read or written; configure that store for this version."
    )


def _identity(data: DataBackend) -> str | None:
    text = data.read_document(STORE_DOCUMENT)
    if text is None:
        return None
    try:
        document = json.loads(text)
        identity, number = str(document["identity"]), int(document["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreIdentityError(
            f"The identity of the store at {data.location} ({STORE_DOCUMENT}) cannot be read: {error!r}. Restore that"
            " document from a copy before anything is written."
        ) from error
    if number > FORMAT:
        raise StoreIdentityError(
            f"The store at {data.location} has format {number}; this release understands {FORMAT}. Use a newer backy2."
        )
    return identity


def _new_identity(data: DataBackend) -> str:
    document = {"format": FORMAT, "identity": str(uuid.uuid4())}
    data.create_document(STORE_DOCUMENT, json.dumps(document, indent=1).encode())
    identity = _identity(data)
    if identity is None:
        raise StoreIdentityError(f"The store at {data.location} did not keep its identity ({STORE_DOCUMENT}).")
    return identity
