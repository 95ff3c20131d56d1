"""Proof that keys open what is in the store: each configured key the store key, and that one what it sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.engine.context import Engine
from backy2_core.engine.fetch import Fetcher, room_for
from backy2_core.engine.inventory import StoredBlock
from backy2_core.engine.key_document import DOCUMENT, KeyDocument
from backy2_core.engine.key_master import ConfiguredKey
from backy2_core.engine.key_sample import sealed_blobs
from backy2_core.errors import ConfigError, DataBackendError, KeyringError, TransformError
from backy2_core.model.blob import BlobRecord

_TRIES = 3
"""Blobs that may turn out damaged before one way of sealing counts as not opening."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried: ``what`` is key, document or blob; ``note`` says how it went."""

    what: str
    id: str
    opens: bool
    note: str


def check_keys(document: KeyDocument, keys: Sequence[ConfiguredKey]) -> list[Proof]:
    """Try each configured key on the wrapped store key."""
    return [_check_key(document, key) for key in keys]


def check_contents(engine: Engine, sealed_documents: Iterator[str]) -> Iterator[Proof]:
    """Open one of these documents of the store, and one blob of each chain of transforms that is met."""
    yield from (_check_document(engine, name) for name in islice(sealed_documents, 1))
    tries: dict[str, int] = {}
    for record in sealed_blobs(engine.meta, engine.store):
        count = tries.get(record.transforms, 0)
        if count >= _TRIES:
            continue
        proof = _check_blob(engine, record)
        tries[record.transforms] = _TRIES if proof.opens else count + 1
        if proof.opens or count + 1 == _TRIES:
            yield proof


def _check_key(document: KeyDocument, key: ConfiguredKey) -> Proof:
    try:
        master = key.read()
        found = document.unlock(master)
    except (ConfigError, KeyringError) as error:
        return Proof("key", key.id, False, str(error))
    if found is None:
        return Proof("key", key.id, False, f"fingerprint {master.fingerprint}: has no slot in {DOCUMENT}")
    return Proof("key", key.id, True, f"fingerprint {master.fingerprint}: opens slot {found[0].id}")


def _check_document(engine: Engine, name: str) -> Proof:
    fault = "it was not sealed with the key of this store, or was changed"
    return _tried("document", name, "", lambda: "" if engine.data.read_document(name) else fault)


def _check_blob(engine: Engine, record: BlobRecord) -> Proof:
    fetcher = Fetcher(engine.data, engine.chain, engine.checksums, lambda block, clear: None)
    buffer = memoryview(bytearray(room_for(record)))
    chain = record.transforms
    return _tried("blob", record.uid, chain, lambda: fetcher.fetch([StoredBlock(0, record)], buffer)[0].reason)


def _tried(what: str, name: str, note: str, fault: Callable[[], str]) -> Proof:
    try:
        reason = fault()
    except (DataBackendError, TransformError) as error:
        reason = str(error)
    return Proof(what, name, not reason, reason or note)
