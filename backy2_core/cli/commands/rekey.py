"""Verb ``rekey``."""

from __future__ import annotations

import argparse
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import (
    ConfigError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    PluginError,
    RefusedError,
    UsageError,
)

if TYPE_CHECKING:
    from backy2_core.engine.key_master import MasterKey

log = logging.getLogger(__name__)

_STDIN = "-"


class Rekey(PlainVerb):
    """Let the configured keys take the place of an old one.

    The configuration holds the new key, as encryption_key or in a section [key:ID]. OLDKEY opens
    the store until now, or it is the key under which the original encrypted. It is kept, sealed in
    the store, for what the original encrypted; the configuration needs it no longer. Writes one
    small document, whatever the size of the store; jobs that run are not disturbed. Run again after
    it was interrupted, it does what is left to do.
    """

    example = """
    backy2 rekey '%(file:/etc/backy2/old.key)s'
    pass show backy2/old | backy2 rekey -
    """
    exits = (ConfigError, PluginError, DataBackendError, MetaBackendError, RefusedError, JobLostError, KeyringError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The old key."""
        parser.add_argument(
            "old_key",
            metavar="OLDKEY",
            help="the old key: - reads it from standard input, %%(env:NAME)s, %%(file:/path)s or %%(command:words)s from "
            "there; 64 hexadecimal digits are seen by every user in the list of processes",
        )

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Replace."""
        from backy2_core.engine.key_edits import Rekeyed, rekey
        from backy2_core.engine.key_sample import opens_original

        old = _old_key(parsed_args.old_key)
        with self.installation() as installation:
            keys = installation.keys
            done = rekey(keys, old, partial(opens_original, keys.place.meta, keys.place.store))
        log.info(_OUTCOMES[Rekeyed(done).value], old.fingerprint)


_OUTCOMES = {
    "replaced": "The key with the fingerprint %s opens the store no longer; the configured keys do",
    "kept": "The key with the fingerprint %s is kept for what the original encrypted; the configured keys open the store",
    "nothing": "The key with the fingerprint %s was replaced before; nothing was left to do",
}


def _old_key(argument: str) -> MasterKey:
    from backy2_core.config.interpolation import expand, reaches_outside
    from backy2_core.engine.key_master import parse_master_key
    from backy2_core.model.secret import Secret

    try:
        if argument == _STDIN:
            text = sys.stdin.readline()
        elif reaches_outside(argument):
            text = expand(argument, {}, private=True)
        else:
            log.warning("OLDKEY was to be seen in the list of processes; `backy2 rekey -` reads it from standard input")
            text = argument
        return parse_master_key("OLDKEY", Secret(text), "OLDKEY")
    except (ValueError, ConfigError) as error:
        raise UsageError(str(error)) from None  # what it came from may hold the key
