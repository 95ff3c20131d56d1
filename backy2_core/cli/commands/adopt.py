"""Verb ``adopt``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.units import counted
from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import (
    BackyError,
    ConfigError,
    DamageError,
    DataBackendError,
    ExchangeError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    PluginError,
    RefusedError,
)

if TYPE_CHECKING:
    from backy2_core.assembly import Installation
    from backy2_core.exchange.adoption import Adoption
    from backy2_core.exchange.decision import AdoptedVersion

log = logging.getLogger(__name__)


class Adopt(ListVerb):
    """Take over an installation of the original backy2.

    Reads the original's database (any release) without changing it, and takes over its versions,
    tags, protection, expiry and statistics. Its blobs stay where they are: the configured data
    backend must be the original's store. Without DATABASE_URL the original's tables are looked
    for in our own database. Run again, it adds what is new. Until --finish, no cleanup deletes
    a blob that the original stored, so that both may work side by side; the original's own
    cleanup must be off from the first backup of ours on, since it would delete our blobs. Prints
    a row a version; versions that are damaged, or lack blocks, come over as damaged, and the exit
    code is 20.
    """

    example = """
    backy2 adopt --dry-run
    backy2 adopt sqlite:////var/lib/backy2/backy.sqlite
    backy2 adopt --finish
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        RefusedError,
        JobLostError,
        DamageError,
        ExchangeError,
        KeyringError,
    )
    is_job = True
    columns = ("uid", "name", "snapshot_name", "date", "outcome", "blocks", "lost_blocks", "note")
    record_type = "adopted"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Its own."""
        parser.add_argument(
            "url",
            nargs="?",
            metavar="DATABASE_URL",
            help="the original's database, as `engine` in its backy.cfg names it; without it, our own database",
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="change nothing, and show what would be taken over")
        what.add_argument(
            "--finish",
            action="store_true",
            help="declare that the original is not used any more: its blobs may be deleted once no version needs them",
        )

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a version."""
        with self.installation() as installation:
            if parsed_args.finish:
                _finish(installation, parsed_args.url)
                return []
            adoption = _adopt(installation, parsed_args.url, dry_run=parsed_args.dry_run)
        self.failure = _failure(adoption)
        _report(adoption)
        return [_row(version) for version in adoption.versions]


def _adopt(installation: Installation, url: str | None, *, dry_run: bool) -> Adoption:
    from backy2_core.contracts.meta_backend import SchemaState
    from backy2_core.exchange.adoption import adopt, foresee, require_blobs
    from backy2_core.exchange.inspection import Defaults

    with installation.open_original(url) as original:
        require_blobs(installation.data, original)
        if dry_run:
            core, database = installation.config.core, installation.database
            here = database if database.schema_state() is SchemaState.CURRENT else None
            return foresee(original, Defaults(core.block_size, core.hash_function), here)
        installation.set_up()
        return adopt(installation.engine, original)


def _finish(installation: Installation, url: str | None) -> None:
    from backy2_core.exchange.adoption import finish

    try:
        original = installation.open_original(url)
    except (ExchangeError, MetaBackendError) as error:
        log.info("The original's database is not there any more: %s", error)
        finish(installation.engine, None)
    else:
        with original:
            finish(installation.engine, original)
    log.info("The take-over is finished; cleanups now delete blobs of the original, too, once no version needs them")


def _row(version: AdoptedVersion) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment

    return (
        version.uid,
        version.name,
        version.snapshot_name,
        Moment(version.date),
        version.outcome,
        version.blocks,
        version.lost,
        version.note,
    )


def _report(adoption: Adoption) -> None:
    store = adoption.store
    if store is None:
        log.info("Nothing was taken over: this was a dry run")
        return
    log.info(
        "Took over statistics of %s; %d blobs that came over were found in the store, %d are missing, %d have a wrong size",
        counted(adoption.statistics, "backup"),
        store.found,
        store.missing.count,
        store.wrong_size.count,
    )


def _failure(adoption: Adoption) -> BackyError | None:
    failed = [version for version in adoption.versions if version.outcome == "failed"]
    if failed:
        return ExchangeError(
            f"{counted(len(failed), 'version')} could not be taken over, such as {failed[0].uid}: {failed[0].note}"
        )
    damaged = [version for version in adoption.versions if version.outcome == "damaged"]
    if damaged:
        return DamageError(
            f"{counted(len(damaged), 'version')} {'came' if adoption.store else 'would come'} over damaged, such as"
            f" {damaged[0].uid}; all others are whole as far as the database and the store's listing tell. `backy2 scrub`"
            " reads every byte."
        )
    return None
