"""Verb ``key list``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, DataBackendError, KeyringError, MetaBackendError, PluginError

if TYPE_CHECKING:
    from backy2_core.engine.key_opening import KeyRoom

log = logging.getLogger(__name__)


class KeyList(ListVerb):
    """List the master keys that open the store, and those that are configured.

    A key that opens the store has a slot in it; `made` says since when (UTC), and is empty for one
    that is configured and has no slot. `configured` says whether the configuration has a key of
    this id, `opens` whether one that is configured opens this slot. The fingerprint tells keys
    apart, and nothing else of them. Needs no key.
    """

    example = """
    backy2 key list
    backy2 key list -f json
    """
    exits = (ConfigError, PluginError, DataBackendError, MetaBackendError, KeyringError)
    columns = ("id", "fingerprint", "made", "configured", "opens")
    record_type = "key"

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a key."""
        with self.installation() as installation:
            return list(_rows(installation.keys))


def _rows(keys: KeyRoom) -> Iterable[Sequence[Any]]:
    from backy2_core.cli.cells import Moment

    look = keys.place.look()
    slots = look.document.slots if look else ()
    known = {}
    for key in keys.configured:
        try:
            known[key.id] = key.read()
        except ConfigError as error:
            log.warning("A configured key is of no use: %s", error)
    former = look.document.former if look else ()
    if former:
        names = ", ".join(key.fingerprint for key in former)
        log.info("Kept in the store for what the original encrypted: keys with the fingerprints %s", names)
    opened = {slot.id for master in known.values() if look and (slot := look.document.slot_of(master))}
    ids = {key.id for key in keys.configured}
    for slot in slots:
        yield slot.id, slot.fingerprint, Moment(slot.made), slot.id in ids, slot.id in opened
    for key_id in sorted(ids - {slot.id for slot in slots}):
        yield key_id, known[key_id].fingerprint if key_id in known else "", Moment(None), True, False
