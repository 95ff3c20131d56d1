"""Adding and removing master keys of a store, and replacing one: what is refused, and what the document becomes."""

from __future__ import annotations

import enum
from collections.abc import Callable

from backy2_core.engine.key_change import changing_keys
from backy2_core.engine.key_document import DOCUMENT, KeyDocument, Slot
from backy2_core.engine.key_master import ORIGINAL_ID, MasterKey
from backy2_core.engine.key_opening import KeyRoom, Opened, unlock
from backy2_core.errors import ConfigError, KeyringError, NotFoundError, RefusedError


class Rekeyed(enum.Enum):
    """What came of a :func:`rekey`."""

    REPLACED = "replaced"
    KEPT = "kept"
    NOTHING = "nothing"


def add_key(room: KeyRoom, master: MasterKey) -> bool:
    """Let one more master key open the store; False where it does already.

    Raises :class:`RefusedError` where another key has its id.
    """
    room.open()  # first of all: who cannot open the store begins nothing
    with changing_keys(room.place, f"add {master.id}") as change:
        opened = room.open()
        slot = opened.document.slot(master.id)
        if opened.document.unlock(master) is not None:
            return False
        if slot is not None:
            raise RefusedError(
                f"Another key opens the store as {slot}; the one that is configured as {master} needs another id, or remove "
                "that one first."
            )
        change.write(_with_key(opened, opened.document, master))
        return True


def remove_key(room: KeyRoom, key_id: str, *, force: bool = False) -> Slot:
    """Let a master key open the store no longer; the slot that was removed.

    Raises :class:`NotFoundError` if there is none of that id, and :class:`RefusedError` where no other would be left, or
    (unless ``force``) no other that is configured here.
    """
    room.open()
    with changing_keys(room.place, f"remove {key_id}") as change:
        document = room.open().document
        slot = document.slot(key_id)
        if slot is None:
            known = ", ".join(str(slot) for slot in document.slots)
            raise NotFoundError(f"No key {key_id!r} opens the store; those that do are: {known}.")
        left = document.without_slot(key_id)
        if not left.slots:
            raise RefusedError(
                f"{slot} is the only key that opens the store: without it all that is in the store would be lost. Add another "
                "first (`backy2 key add`)."
            )
        if not force and not _opens(left, room):
            raise RefusedError(
                f"No other key that is configured here opens the store: {slot} is the only one. Nothing was changed; --force "
                "removes it all the same."
            )
        change.write(left)
        return slot


def rekey(room: KeyRoom, old: MasterKey, opens_old_blobs: Callable[[MasterKey], bool]) -> Rekeyed:
    """Replace the slot that ``old`` opens by slots for the configured keys, and keep ``old`` for what the original encrypted.

    Where it opens none, but ``opens_old_blobs`` says that the original encrypted with it, it is kept all the same. Raises
    :class:`KeyringError` where it is neither, and :class:`RefusedError` where no other key is configured.
    """
    look = room.place.look()
    if look is None or look.document.unlock(old) is None:
        return _keep(room, old, opens_old_blobs)
    with changing_keys(room.place, "rekey") as change:
        look = room.place.look()
        found = look and look.document.unlock(old)
        if not look or not found:
            raise KeyringError(f"While this command began, {DOCUMENT} was changed, and {old} opens it no longer.")
        slot, ring = found
        opened = Opened(ring, look.document, slot, old)
        document = opened.document.without_slot(slot.id)
        for master in _replacements(room, old, document):
            document = _with_key(opened, document, master)
        change.write(document.with_former(ring, old.raw))
        return Rekeyed.REPLACED


def _keep(room: KeyRoom, old: MasterKey, opens_old_blobs: Callable[[MasterKey], bool]) -> Rekeyed:
    opened = room.open()
    if opened.document.with_former(opened.ring, old.raw) is opened.document:
        return Rekeyed.NOTHING
    if not opens_old_blobs(old):
        slots = ", ".join(str(slot) for slot in opened.document.slots)
        raise KeyringError(
            f"The key that was given (fingerprint {old.fingerprint}) opens neither the store, which has the keys {slots}, nor "
            "anything that the original encrypted. Nothing was changed."
        )
    with changing_keys(room.place, "keep a former key") as change:
        opened = room.open()
        change.write(opened.document.with_former(opened.ring, old.raw))
    return Rekeyed.KEPT


def _replacements(room: KeyRoom, old: MasterKey, left: KeyDocument) -> list[MasterKey]:
    """The configured keys that need a slot where ``left`` are all but that of ``old``."""
    masters = [master for key in room.configured if (master := key.read()).raw != old.raw]
    if not masters:
        raise RefusedError(
            f"No key is configured that could take the place of {old}. Nothing was changed; configure the new one first, as "
            "encryption_key or in a section [key:ID]."
        )
    missing = [master for master in masters if left.unlock(master) is None]
    for master in missing:
        if (slot := left.slot(master.id)) is not None:
            raise RefusedError(
                f"Another key opens the store as {slot}; the one that is configured as {master} needs another id."
            )
    return missing


def _with_key(opened: Opened, document: KeyDocument, master: MasterKey) -> KeyDocument:
    document = document.with_slot(opened.ring, master)
    # What the original encrypted needs its key as long as there is any, also when the configuration lost it.
    return document.with_former(opened.ring, master.raw) if master.id == ORIGINAL_ID else document


def _opens(document: KeyDocument, room: KeyRoom) -> bool:
    try:
        unlock(document, room.configured, room.place.data.location)
    except (ConfigError, KeyringError):
        return False
    return True
