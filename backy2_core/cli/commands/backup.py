"""Verb ``backup``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff.formatters.base import ListFormatter

from backy2_core.cli.arguments import DATE_HELP, moment, split_tags
from backy2_core.cli.arrangement import Arrangement
from backy2_core.cli.backup_records import COLUMNS, MANY, RECORD, checked, error_of, record, row
from backy2_core.cli.device_names import DEFAULT_TEMPLATE, name_of, names_of
from backy2_core.cli.formats import MACHINE
from backy2_core.cli.lifeline import hold_lifeline
from backy2_core.cli.many import Ending, Order, SomeFailedError, run_all
from backy2_core.cli.outcome import OutputClosed
from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    DataBackendError,
    HintsError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    SourceError,
    TransformError,
    UsageError,
)

if TYPE_CHECKING:
    from backy2_core.contracts.meta_backend import MetaBackend
    from backy2_core.engine.requests import BackupRequest

log = logging.getLogger(__name__)


class Backup(RecordVerb):
    """Back up a source as a new version.

    Reads SOURCE (a URL such as file:///dev/vg0/vm1 or rbd://pool/image) and stores what is not
    stored yet. Prints the new version; under -m only its uid. Without NAME the versions are called
    as the last part of SOURCE.

    Of a source with snapshots, such as an RBD image, it makes one, reads what changed since the
    newest valid version of NAME whose snapshot is still there, and removes older snapshots of its
    own making when the version is valid (keep_snapshots stay). A snapshot that SOURCE names
    (rbd://pool/image@snapshot) is used and kept. With --full nothing is taken from before.

    With a list of changed ranges (-r) only those are read, of the source as it stands; all other
    blocks are taken from the version given with -f, or are zeros without one. An interrupted
    backup leaves an incomplete version, which -c continues with the same arguments; its tags and
    expiry date stay.

    SOURCE may be a pattern, where its source knows such (rbd://pool/*): each device that it means
    is backed up, --parallel at once, each by a process of its own with the same options. NAME is
    then a template; {name} stands for the device, {parent} for the part before it. One that
    fails stops no other. Prints a row for each; the exit code is that of those that failed if it
    is the same for all of them, else 100. With --literal SOURCE is never a pattern, but the
    name of one device.

    Without -t the version gets the tag b_daily if no valid version of that name from today has
    it, b_weekly if none from the last 7 days, today included, and b_monthly if none from the
    last 30. Days are those of UTC. With -t it gets only the tags given, and with -t '' none.
    """

    example = """
    backy2 backup -s monday -t daily file:///dev/vg0/vm1-snapshot vm1
    backy2 backup rbd://pool/vm1 vm1
    backy2 backup --parallel 4 'rbd://pool/vm-*'
    rbd diff --format json pool/vm1@tuesday --from-snap monday \\
        | backy2 backup -s tuesday -r - -f latest:vm1 rbd://pool/vm1@tuesday vm1
    """
    exits = (
        HintsError,
        ConfigError,
        PluginError,
        SourceError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        JobLostError,
        TransformError,
        DamageError,
        KeyringError,
    )
    is_job = True
    columns = COLUMNS
    default_columns = RECORD

    _many = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's, and ``-c``."""
        parser.add_argument("source", metavar="SOURCE", help="URL of what to back up, or a pattern")
        parser.add_argument("name", nargs="?", metavar="NAME", help="name of the versions of this source")
        parser.add_argument("-s", "--snapshot-name", default="", metavar="SNAPSHOT", help="name of the snapshot")
        parser.add_argument(
            "-r",
            "--rbd",
            "--hints",
            dest="hints",
            metavar="FILE",
            help="changed ranges, as `rbd diff --format json` prints them; - is standard input",
        )
        parser.add_argument("-f", "--from-version", metavar="UID", help="take unchanged blocks from this version")
        parser.add_argument(
            "-t", "--tag", action="append", metavar="TAG", help="a tag, or several with commas; repeatable"
        )
        parser.add_argument(
            "-e", "--expire", type=moment, metavar="DATE", help=f"not needed any more from this date on: {DATE_HELP}"
        )
        parser.add_argument("-c", "--continue-version", metavar="UID", help="continue this incomplete version")
        parser.add_argument(
            "--full", action="store_true", help="take nothing from an earlier version, where the source has snapshots"
        )
        parser.add_argument(
            "--parallel", type=_some, default=2, metavar="N", help="of a pattern, back up so many at once (default 2)"
        )
        parser.add_argument(
            "--literal", action="store_true", help="SOURCE names one source, even if it looks like a pattern"
        )

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Any]:
        """Back up one, or all that a pattern means."""
        # What was started for one of many starts no others, whatever its arguments are.
        is_one = hold_lifeline() or parsed_args.literal
        urls = None if is_one else self._meant(parsed_args.source)
        if urls is None:
            return super().take_action(parsed_args)
        if not isinstance(self.formatter, ListFormatter):
            raise UsageError(
                f"The format {parsed_args.formatter!r} cannot show a list, and {parsed_args.source} means many."
            )
        self._many = True
        rows = [self._arrange_many(parsed_args).row(cells) for cells in self._rows(parsed_args, urls)]
        return self._arrangement.names, rows

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Back up one."""
        from backy2_core.engine.backup import backup
        from backy2_core.model.version import VersionState

        with self.installation() as installation:
            result = backup(installation.engine, _request(installation.meta, parsed_args))
        if result.version.state is not VersionState.VALID:
            self.failure = DamageError(
                f"Version {result.version.uid} refers to blocks that turned out damaged; `backy2 scrub` names them."
            )
        return record(parsed_args.source, result)

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """The record; for programs the uid alone on a line, as scripts around the original expect. Of many, the rows."""
        if self._many:
            return self._produce_list(parsed_args, column_names, data)
        if parsed_args.formatter == MACHINE and not parsed_args.columns:
            self.app.stdout.write(f"{data[0]}\n")
            return 0
        return super().produce_output(parsed_args, column_names, data)

    def _meant(self, source: str) -> Sequence[str] | None:
        with self.installation() as installation:
            return installation.list_sources(source)

    def _rows(self, parsed_args: argparse.Namespace, urls: Sequence[str]) -> list[Sequence[Any]]:
        """Back up many; a row for each, in the order of the URLs."""
        names = names_of(urls, _template(parsed_args, urls))
        orders = {name: Order(name, _words(self.app.options, parsed_args, url, name)) for url, name in names.items()}
        endings: dict[str, Ending] = {}
        with closing(run_all(list(orders.values()), parsed_args.parallel, self.app.stderr)) as running:
            for ended in running:
                ending = endings[ended.order.name] = checked(ended)
                _tell(ending, len(endings), len(urls))
        failed = [ending.code for ending in endings.values() if ending.code != 0]
        if failed:
            self.failure = SomeFailedError(f"{len(failed)} of {len(urls)} backups failed; see the list.", failed)
        return [row(url, endings[name]) for url, name in names.items()]

    def _arrange_many(self, parsed_args: argparse.Namespace) -> Arrangement:
        sizes = self.size_columns if self.app.options.human_readable else None
        self._arrangement = Arrangement(self.columns, self._format.columns, parsed_args.columns, MANY, sizes)
        return self._arrangement

    def _produce_list(self, parsed_args: argparse.Namespace, column_names: Sequence[str], rows: Any) -> int:
        parsed_args.columns = self._arrangement.shown
        columns, selector = self._generate_columns_and_selector(parsed_args, column_names)
        shown = [list(self._compress_iterable(cells, selector)) if selector else cells for cells in rows]
        assert isinstance(self.formatter, ListFormatter)
        try:
            self.formatter.emit_list(columns, shown, self.app.stdout, parsed_args)
            self.app.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error
        return 0


def _some(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return number


def _template(parsed_args: argparse.Namespace, urls: Sequence[str]) -> str:
    """What the versions of many are called; raises for what cannot be meant of many."""
    if not urls:
        raise SourceError(
            f"{parsed_args.source} means nothing that is there. Is the pattern right, and may it be read?"
        )
    if parsed_args.hints is not None or parsed_args.from_version or parsed_args.continue_version:
        raise UsageError(f"{parsed_args.source} is a pattern; -r, -f and -c go with one source.")
    return parsed_args.name or DEFAULT_TEMPLATE


def _words(options: argparse.Namespace, parsed_args: argparse.Namespace, url: str, name: str) -> list[str]:
    """The command that backs one of many up, with the same options."""
    words = ["--config", options.config] if options.config else []
    if options.machine_output or options.quiet:
        words.append("--quiet")
    words += [f"--{flag}" for flag in ("verbose", "debug") if getattr(options, flag)]
    # Literally: the URL of a device whose name holds a * would be taken for a pattern, and so for other devices.
    words += ["backup", "--literal", "--format", "json"]
    words += ["--full"] if parsed_args.full else []
    words += [f"--snapshot-name={parsed_args.snapshot_name}"] if parsed_args.snapshot_name else []
    words += [f"--tag={tag}" for tag in parsed_args.tag or ()]
    words += [f"--expire={parsed_args.expire:%Y-%m-%dT%H:%M:%S}"] if parsed_args.expire else []
    return [*words, "--", url, name]


def _tell(ending: Ending, number: int, total: int) -> None:
    if ending.code == 0:
        log.info("%d of %d: %s is backed up (%.1f s)", number, total, ending.order.name, ending.duration_s)
    else:
        log.error("%d of %d: %s failed: %s", number, total, ending.order.name, error_of(ending))


def _request(meta: MetaBackend, parsed_args: argparse.Namespace) -> BackupRequest:
    from backy2_core.engine.hints import parse_hints
    from backy2_core.engine.lookup import find_version
    from backy2_core.engine.requests import BackupRequest

    base, resume = parsed_args.from_version, parsed_args.continue_version
    if parsed_args.full and (base or resume or parsed_args.hints is not None):
        raise UsageError("--full takes nothing from before; it does not go with -r, -f or -c. Leave one of them out.")
    return BackupRequest(
        source=parsed_args.source,
        name=parsed_args.name or name_of(parsed_args.source),
        snapshot_name=parsed_args.snapshot_name,
        tags=_tags(meta, parsed_args),
        hints=None if parsed_args.hints is None else parse_hints(_read_hints(parsed_args.hints)),
        base=find_version(meta, base).uid if base else None,
        resume=find_version(meta, resume).uid if resume else None,
        expire=parsed_args.expire,
        full=parsed_args.full,
    )


def _tags(meta: MetaBackend, parsed_args: argparse.Namespace) -> frozenset[str]:
    from backy2_core.engine.tagging import automatic_tags_of

    if parsed_args.tag is not None:
        return split_tags(parsed_args.tag)
    return automatic_tags_of(meta, parsed_args.name or name_of(parsed_args.source), datetime.now(UTC))


def _read_hints(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The hints file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise HintsError(f"The hints file {path} is no UTF-8 text: {error.reason}") from error
