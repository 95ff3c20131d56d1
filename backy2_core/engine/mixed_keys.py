"""Blocks that are not sealed under the store's own key, where new ones are: what a backup makes of them."""

from __future__ import annotations

import logging

from backy2_core.engine.context import Engine
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.errors import RefusedError
from backy2_core.model.segment import blob_ids
from backy2_core.model.version import Version

log = logging.getLogger(__name__)

STORE_AGAIN = "store_again"

_BATCH = 64


def refuse_clear_blocks(engine: Engine) -> None:
    """Refuse a backup that would store blocks unencrypted in an encrypted store, unless it was configured to."""
    if engine.keyring is not None and not engine.chain.key and not engine.options.allow_clear:
        raise RefusedError(
            f"The store at {engine.data.location} is encrypted, and the configuration says to store blocks as they are. Nothing"
            " was stored. Set transforms in [backy2] to zstd, aes_gcm; or allow_clear to yes, if that is what is meant."
        )


def must_store_again(engine: Engine, base: StoredMap) -> bool:
    """True if nothing may be kept of this base, since it holds blocks that are not sealed under the key in use.

    Says so in either case. Asks nothing where the store is not encrypted, and little where the base is known to be.
    """
    key = engine.chain.key
    if engine.keyring is None or not key or base.version.key == key or not _holds_others(engine, base, key):
        return False
    again = engine.options.clear_base == STORE_AGAIN
    log.warning(
        "The base version %s holds blocks that are not encrypted under the key of this store; %s",
        base.version.uid,
        "everything is read, and stored encrypted"
        if again
        else "unchanged ones are kept as they are (clear_base = keep)",
    )
    return again


def tell_of_mixture(engine: Engine, resume: Version) -> None:
    """Say so where a version that is continued holds blocks of before the store was encrypted; they stay as they are."""
    if engine.keyring is not None and engine.chain.key and not resume.key and engine.meta.map_length(resume.id):
        log.warning(
            "Version %s was begun when blocks were not encrypted under the key of this store; those that it has stay as they"
            " are. Begin a new backup if all of it is to be encrypted.",
            resume.uid,
        )


def key_of_all(engine: Engine, base: StoredMap | None) -> str:
    """The key under which all blocks of a new version will be sealed, or "" if that is not known of all of them."""
    key = engine.chain.key
    return key if base is None or base.version.key == key else ""


def _holds_others(engine: Engine, base: StoredMap, key: str) -> bool:
    for segments in batches(base.ids(), _BATCH):
        found = engine.meta.read_segments(set(segments)).values()
        blobs = {blob for segment in found for blob in blob_ids(segment.data)}
        if any(record.key != key for record in engine.meta.read_blobs(blobs).values()):
            return True
    return False
