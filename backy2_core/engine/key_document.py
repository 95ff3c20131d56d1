"""The document ``keys.json``: the store key, wrapped by each master key, and former keys, wrapped by the store key.

A JSON object::

    {"format": 1, "key_id": ID OF THE STORE KEY,
     "slots": [{"id": ID OF THE MASTER KEY, "fingerprint": 8 DIGITS, "wrapped": HEX, "made": TIME}, ...],
     "former": [{"kind": "backy2_v1", "fingerprint": 8 DIGITS, "sealed": HEX}, ...]}

Wrapped is by AES key wrap (RFC 3394): the store key by the master key as it is, a former key by what is derived from the store
key for the purpose ``former key`` and its kind. Readers ignore members that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.key_wrap import unwrap, wrap
from backy2_core.engine.keyring import STORE_KEY_BYTES, StoreKeyring
from backy2_core.errors import KeyringError
from backy2_core.model.secret import Secret, key_fingerprint

DOCUMENT = "keys.json"
FORMAT = 1
V1 = "backy2_v1"
"""Kind of the keys that the original encrypted with."""


class NewerFormatError(KeyringError):
    """The document was written by a later release, so it must be left as it is."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The store key, wrapped by one master key."""

    id: str
    fingerprint: str
    wrapped: bytes
    made: datetime

    def __str__(self) -> str:
        return f"{self.id} (fingerprint {self.fingerprint})"


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A key of another program, sealed under the store key."""

    kind: str
    fingerprint: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """What is kept of a store's keys; without a master key it tells nothing."""

    key_id: str
    slots: tuple[Slot, ...]
    former: tuple[FormerKey, ...] = ()

    def slot(self, slot_id: str) -> Slot | None:
        """The slot of this id."""
        return next((slot for slot in self.slots if slot.id == slot_id), None)

    def unlock(self, master: MasterKey) -> tuple[Slot, StoreKeyring] | None:
        """The slot that this master key opens, and the keyring in it; None where it opens none.

        Raises :class:`KeyringError` where what it opens is not what the document says.
        """
        for slot in self.slots:
            store_key = unwrap(master.raw, slot.wrapped)
            if store_key is not None:
                return slot, self._keyring(store_key, slot)
        return None

    def slot_of(self, master: MasterKey) -> Slot | None:
        """The slot that this master key opens."""
        return next((slot for slot in self.slots if unwrap(master.raw, slot.wrapped) is not None), None)

    def with_slot(self, ring: StoreKeyring, master: MasterKey) -> KeyDocument:
        """This document with one more slot."""
        return replace(self, slots=(*self.slots, make_slot(ring, master)))

    def without_slot(self, slot_id: str) -> KeyDocument:
        """This document without the slot of this id."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.id != slot_id))

    def with_former(self, ring: StoreKeyring, raw: bytes, kind: str = V1) -> KeyDocument:
        """This document with one more former key, as the newest; the same one where it is there already."""
        fingerprint = key_fingerprint(raw)
        if any(key.kind == kind and _open_former(ring, key) == raw for key in self.former):
            return self
        sealed = wrap(_former_purpose(ring, kind), raw)
        return replace(self, former=(FormerKey(kind, fingerprint, sealed), *self.former))

    def _keyring(self, store_key: bytes, slot: Slot) -> StoreKeyring:
        if len(store_key) != STORE_KEY_BYTES or StoreKeyring(store_key).key_id != self.key_id:
            raise KeyringError(
                f"The slot {slot} of {DOCUMENT} opens, but holds another store key than {self.key_id}: the document was put "
                "together from two. Restore it from a copy."
            )
        ring = StoreKeyring(store_key)
        former: dict[str, list[Secret]] = {}
        for key in self.former:
            former.setdefault(key.kind, []).append(Secret(_open_former(ring, key).hex()))
        return StoreKeyring(store_key, former)


def new_document(ring: StoreKeyring, masters: Sequence[MasterKey]) -> KeyDocument:
    """A document for a store key that was just made, with a slot for each of these."""
    return KeyDocument(ring.key_id, tuple(make_slot(ring, master) for master in masters))


def make_slot(ring: StoreKeyring, master: MasterKey) -> Slot:
    """The store key, wrapped by this master key now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Slot(master.id, master.fingerprint, wrap(master.raw, ring.reveal()), now)


def render(document: KeyDocument) -> bytes:
    """The text of a document."""
    slots = [
        {
            "id": slot.id,
            "fingerprint": slot.fingerprint,
            "wrapped": slot.wrapped.hex(),
            "made": slot.made.isoformat(),
        }
        for slot in document.slots
    ]
    former = [{"kind": key.kind, "fingerprint": key.fingerprint, "sealed": key.sealed.hex()} for key in document.former]
    content = {"format": FORMAT, "key_id": document.key_id, "slots": slots, "former": former}
    return json.dumps(content, indent=1, ensure_ascii=True).encode()


def parse(text: bytes) -> KeyDocument:
    """The document of this text.

    Raises :class:`NewerFormatError` for one of a later release, and :class:`ValueError` for what is no such document.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        number = int(content["format"])
        if number > FORMAT:
            raise NewerFormatError(
                f"{DOCUMENT} has format {number}; this release understands {FORMAT}. Use a newer backy2."
            )
        slots = tuple(
            Slot(
                str(slot["id"]),
                str(slot["fingerprint"]),
                bytes.fromhex(slot["wrapped"]),
                datetime.fromisoformat(slot["made"]),
            )
            for slot in content["slots"]
        )
        former = tuple(
            FormerKey(str(key["kind"]), str(key["fingerprint"]), bytes.fromhex(key["sealed"]))
            for key in content["former"]
        )
        return KeyDocument(str(content["key_id"]), slots, former)
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no object with the expected members: {error!r}") from error


def _open_former(ring: StoreKeyring, key: FormerKey) -> bytes:
    raw = unwrap(_former_purpose(ring, key.kind), key.sealed)
    if raw is None:
        raise KeyringError(
            f"The former key {key.fingerprint} in {DOCUMENT} was changed: it does not open with the store key {ring.key_id}. "
            "Restore the document from a copy."
        )
    return raw


def _former_purpose(ring: StoreKeyring, kind: str) -> bytes:
    return ring.derive(f"former key {kind}")
