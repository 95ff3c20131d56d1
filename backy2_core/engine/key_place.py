"""Where the wrapped keys of a store are kept: in the store, whose document rules, and a copy in the database."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, field

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.key_document import DOCUMENT, KeyDocument, parse, render
from backy2_core.errors import KeyringError
from backy2_core.model.blob import StoreId

log = logging.getLogger(__name__)

NOTE = "keys"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the document that counts, and the texts in both places, None where there is none."""

    document: KeyDocument
    in_store: bytes | None
    in_database: bytes | None


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Both places of one store."""

    meta: MetaBackend
    data: DataBackend
    store: StoreId
    host: str = field(default_factory=socket.gethostname)
    """What jobs that change keys are called after."""

    def look(self) -> Look | None:
        """The document of the store, else the copy in the database; None for a store without keys. Changes nothing.

        Raises :class:`KeyringError` where there is one that cannot be read, or where both speak of different store keys.
        """
        in_store, in_database = self.data.read_document(DOCUMENT), self.meta.read_note(self.store, NOTE)
        if in_store is None and in_database is None:
            return None
        own, copy = _understood(in_store), _understood(in_database)
        if own and copy and own.key_id != copy.key_id:
            raise KeyringError(
                f"{DOCUMENT} of the store at {self.data.location} is of store key {own.key_id}, but the database knows the "
                f"store with {copy.key_id}. Nothing was read or written. Restore that document from a copy."
            )
        document = own or copy
        if document is None:
            raise KeyringError(
                f"{DOCUMENT} of the store at {self.data.location} cannot be read, and the database has no copy that can. "
                "Without it nothing in the store can be opened; restore it from a copy of the store."
            )
        return Look(document, in_store, in_database)

    def mend(self, look: Look) -> None:
        """Make both places hold the document that counts. Call it once a key proved the document."""
        text = render(look.document)
        if _understood(look.in_store) is None:
            log.warning(
                "The store at %s had lost %s; it was written again from the copy in the database",
                self.data.location,
                DOCUMENT,
            )
            if look.in_store is None:
                self.data.create_document(DOCUMENT, text)
            else:
                self.data.write_document(DOCUMENT, text)
        if look.in_database != text:
            self.meta.write_note(self.store, NOTE, text)

    def create(self, document: KeyDocument) -> bool:
        """Give the store its first document; False where another process was faster."""
        return self.data.create_document(DOCUMENT, render(document))

    def replace(self, document: KeyDocument) -> None:
        """Let this document count from now on: one atomic write in the store."""
        self.data.write_document(DOCUMENT, render(document))

    def copy(self, document: KeyDocument) -> None:
        """Keep the copy in the database."""
        self.meta.write_note(self.store, NOTE, render(document))


def _understood(text: bytes | None) -> KeyDocument | None:
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        return None
