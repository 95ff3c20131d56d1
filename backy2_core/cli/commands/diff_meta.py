"""Verb ``diff-meta``."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, TextIO

from backy2_core.cli.outcome import OutputClosed
from backy2_core.cli.units import counted
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, DamageError, MetaBackendError, NotFoundError, PluginError

if TYPE_CHECKING:
    from backy2_core.engine.difference import Difference, Run

log = logging.getLogger(__name__)


class DiffMeta(PlainVerb):
    """Show which blocks of two versions differ.

    Prints a line a block, by its number: `SAME`, `DIFF`, or for a block that only one version
    has `NEW LEFT` (that of UID1) or `NEW RIGHT`. Compares checksums from the database and reads
    no data, so it works while the store is away. The versions may be of different sizes, but must
    have one block size. A last block that has another length in the other version is `DIFF`.

    So is a block that was hashed with another function or key in the other version; a warning
    counts such. Of an incomplete version the blocks that it does not have yet are absent. A block
    that a damaged version never had, or whose segment of the block map is damaged, is `DIFF`;
    the latter ends with exit code 20. A summary goes to the log.
    """

    example = """
    backy2 diff-meta 1f4b9c latest:vm1
    backy2 diff-meta --only-changed 1f4b9c 8d20e7
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError, DamageError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's, and ``--only-changed``."""
        parser.add_argument("--only-changed", action="store_true", help="leave out the blocks that are the same")
        for number, side in (("1", "left"), ("2", "right")):
            parser.add_argument(
                f"uid{number}",
                metavar=f"UID{number}",
                help=f"the {side} version: its uid, the beginning of it, or latest:NAME",
            )

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Compare, and print while comparing."""
        from backy2_core.engine.difference import Difference, Verdict
        from backy2_core.engine.lookup import find_version, get_version

        with self.installation() as installation:
            meta = installation.meta
            left, right = (find_version(meta, uid) for uid in (parsed_args.uid1, parsed_args.uid2))
            difference = Difference(meta, left, right)
            for run in difference.runs():
                if run.verdict is not Verdict.SAME or not parsed_args.only_changed:
                    _write(self.app.stdout, run)
            if difference.damaged_blocks:
                # Segments of a version that was removed meanwhile are gone for that reason, which this says.
                for version in (left, right):
                    get_version(meta, version.uid)
        _report(difference)


def _write(out: TextIO, run: Run) -> None:
    """The original's lines: the verdict in nine columns, a blank, the block."""
    lead = f"{run.verdict.value:<9} "
    try:
        out.write("".join(f"{lead}{block}\n" for block in range(run.start, run.stop)))
    except BrokenPipeError as error:
        raise OutputClosed from error


def _report(difference: Difference) -> None:
    from backy2_core.engine.difference import Verdict

    counts = difference.counts
    log.info(
        "%s: %d the same, %d different, %d only in the left version, %d only in the right one",
        counted(counts.total(), "block"),
        *(counts[verdict] for verdict in (Verdict.SAME, Verdict.DIFF, Verdict.NEW_LEFT, Verdict.NEW_RIGHT)),
    )
    if difference.incomparable_blocks:
        log.warning(
            "%s of those marked DIFF have checksums of different hash functions or keys, and may be the same all the same;"
            " only their data could tell",
            counted(difference.incomparable_blocks, "block"),
        )
    if difference.damaged_blocks:
        raise DamageError(
            f"{counted(difference.damaged_blocks, 'block')} could not be compared, since their segment of the block map is"
            " missing or was changed; they are marked DIFF. Scrub the versions, or restore the database from a copy."
        )
