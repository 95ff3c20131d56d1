"""Verb ``key check``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.units import counted
from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, DataBackendError, KeyringError, MetaBackendError, PluginError

if TYPE_CHECKING:
    from backy2_core.assembly import Installation
    from backy2_core.engine.key_check import Proof

log = logging.getLogger(__name__)


class KeyCheck(ListVerb):
    """Prove that the configured keys open what is in the store.

    Tries each configured key on the store, then opens one document of the store, and one stored
    block of each way in which blocks were compressed and encrypted (of the newest 200 versions).
    Changes nothing. The exit code is 21 if anything does not open.
    """

    example = """
    backy2 key check
    """
    exits = (ConfigError, PluginError, DataBackendError, MetaBackendError, KeyringError)
    columns = ("what", "id", "opens", "note")
    record_type = "proof"

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row for each thing that was tried."""
        with self.installation() as installation:
            proofs = _proofs(installation)
        failed = [proof for proof in proofs if not proof.opens]
        if failed:
            self.failure = KeyringError(
                f"{counted(len(failed), 'thing')} of {len(proofs)} cannot be opened, such as {failed[0].what} {failed[0].id}: "
                f"{failed[0].note}"
            )
        return [(proof.what, proof.id, proof.opens, proof.note) for proof in proofs]


def _proofs(installation: Installation) -> list[Proof]:
    from backy2_core.engine.key_check import check_contents, check_keys

    keys = installation.keys
    look = keys.place.look()
    if look is None:
        log.info("The store at %s has no keys: nothing in it is encrypted under a store key", keys.place.data.location)
        return []
    proofs = check_keys(look.document, keys.configured)
    if not any(proof.opens for proof in proofs):
        for proof in proofs:
            log.warning("Key %s: %s", proof.id, proof.note)
        keys.open()  # says what is wrong
    return [*proofs, *check_contents(installation.engine, keys.sealed_documents())]
