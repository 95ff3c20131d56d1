"""Opening the keyring of a store, and making the store key where there is none yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.engine.checksums import is_store_key
from backy2_core.engine.key_document import DOCUMENT, KeyDocument, Slot, new_document
from backy2_core.engine.key_master import ORIGINAL_ID, ConfiguredKey, MasterKey
from backy2_core.engine.key_place import KeyPlace
from backy2_core.engine.key_sample import sealed_blobs
from backy2_core.engine.keyring import StoreKeyring, new_store_key
from backy2_core.engine.seals import former_document, render_former
from backy2_core.errors import ConfigError, KeyringError
from backy2_core.model.version import FINISHED, VersionFilter

log = logging.getLogger(__name__)

_DOCUMENTS = "versions/"
_MOST_DOCUMENTS = 200
_MOST_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A keyring, the document it came from, and what opened it."""

    ring: StoreKeyring
    document: KeyDocument
    slot: Slot
    master: MasterKey


@dataclass(frozen=True, slots=True)
class KeyRoom:
    """The wrapped keys of a store, and the master keys that are configured to open them.

    ``makes`` says whether a store without keys is to get some. ``is_sealed`` tells whether a document was sealed under a
    store key, by looking at it.
    """

    place: KeyPlace
    configured: Sequence[ConfiguredKey]
    makes: bool
    is_sealed: Callable[[bytes], bool]

    def sealed_documents(self) -> Iterator[str]:
        """Names of documents that were sealed under a store key, as far as a look at 200 of them tells."""
        data = self.place.data
        for name in islice(data.list_documents(_DOCUMENTS), _MOST_DOCUMENTS):
            if self.is_sealed(data.read_document(name) or b""):
                yield name

    def keyring(self) -> StoreKeyring | None:
        """The keyring of the store; None for one that has no keys, and (unless ``makes``) shall have none.

        With ``makes`` a store without keys is given a store key, wrapped by all configured keys. A lost copy of the wrapped
        keys is written again. Raises :class:`KeyringError` where no key opens it, and has changed nothing then.
        """
        if not self.place.data.capabilities.persistent:
            # What keeps nothing has no need of a key that can be found again.
            return StoreKeyring(new_store_key()) if self.makes else None
        opened = self._opened()
        return opened.ring if opened else None

    def open(self) -> Opened:
        """As :meth:`keyring`, with all that became known. Raises :class:`KeyringError` where there are no keys, too."""
        opened = self._opened()
        if opened is None:
            raise KeyringError(
                f"The store at {self.place.data.location} has no keys. Make one with `backy2 key new`, and put it into a "
                "section [key:ID] of the configuration."
            )
        return opened

    def _opened(self) -> Opened | None:
        look = self.place.look()
        if look is None and self.makes:
            self._expect_none()
            _make(self.place, self.configured)
            look = self.place.look()
        if look is None:
            return None
        opened = unlock(look.document, self.configured, self.place.data.location)
        self.place.mend(look)
        return opened

    def _expect_none(self) -> None:
        """Refuse to make a store key where there was one: it would hide that the wrapped one is lost."""
        place = self.place
        blobs = sealed_blobs(place.meta, place.store, most_versions=_MOST_VERSIONS)
        name = next(self.sealed_documents(), None) or next((r.uid for r in blobs if is_store_key(r.key)), None)
        if name is not None and place.look() is None:  # else another process was faster, and is at work
            raise KeyringError(
                f"The store at {place.data.location} holds what was sealed under a store key, such as {name}, but {DOCUMENT} "
                "is gone, from the store and from the database. Restore that document from a copy of the store; no new store "
                "key was made, since it could not open what is there."
            )


def unlock(document: KeyDocument, keys: Sequence[ConfiguredKey], location: str) -> Opened:
    """The keyring in this document. Keys that have a slot by name are tried first, and none is read without need.

    Raises :class:`KeyringError` with the ids of slots and keys where none opens it.
    """
    failures: list[str] = []
    tried: list[str] = []
    for key in sorted(keys, key=lambda key: document.slot(key.id) is None):
        try:
            master = key.read()
        except ConfigError as error:
            failures.append(str(error))
            continue
        found = document.unlock(master)
        if found is not None:
            for failure in failures:
                log.warning("A configured key is of no use: %s", failure)
            return Opened(found[1], document, found[0], master)
        tried.append(str(master))
    raise KeyringError(_closed(document, location, tried, failures))


def _closed(document: KeyDocument, location: str, tried: Sequence[str], failures: Sequence[str]) -> str:
    if tried:
        configured = f"none of the configured keys opens it: {_names(tried)}"
    else:
        configured = "no configured key can be read" if failures else "no key is configured"
    causes = "".join(f" {failure}." for failure in failures)
    return (
        f"The store at {location} is encrypted (store key {document.key_id}), and {configured}.{causes} Keys that open it: "
        f"{_names(document.slots)}. Configure one of them in a section [key:ID]. Nothing was read or written."
    )


def _names(things: Iterable[object]) -> str:
    return ", ".join(map(str, things)) or "none"


def _make(place: KeyPlace, keys: Sequence[ConfiguredKey]) -> None:
    masters = [key.read() for key in keys]
    ring = StoreKeyring(new_store_key())
    document = new_document(ring, masters)
    for master in masters:
        if master.id == ORIGINAL_ID:
            document = document.with_former(ring, master.raw)
    former = _seal_what_is_there(place, ring)
    # Where another process was faster, its key is the one.
    if not place.create(document):
        place.data.delete_document(former)
        return
    log.warning(
        "The store at %s has got a store key (%s), wrapped by %s. Keep copies of these elsewhere: whoever loses all of "
        "them loses all that is in the store.",
        place.data.location,
        ring.key_id,
        _names(masters),
    )


def _seal_what_is_there(place: KeyPlace, ring: StoreKeyring) -> str:
    """Seal the versions that were made before there was this key; the name of the document with their seals."""
    versions = list(place.meta.versions(VersionFilter(states=FINISHED)))
    name = former_document(ring)
    if versions:
        place.data.write_document(name, render_former(ring, versions))
    return name
