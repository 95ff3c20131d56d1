"""What the verbs about schedules have in common: the schedulers asked for, and the versions of each name."""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, PluginError, UsageError

if TYPE_CHECKING:
    from backy2_core.config.load import Config, Schedule
    from backy2_core.contracts.meta_backend import MetaBackend
    from backy2_core.model.version import Version

DEFAULT_SCHEDULERS = "daily,weekly,monthly"


class SchedulingVerb(ListVerb):
    """A list about what the schedules ask for, name by name."""

    exits = (ConfigError, PluginError, MetaBackendError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument(
            "name", nargs="?", metavar="NAME", help="only for this name, of which no version need be there"
        )
        parser.add_argument(
            "-s",
            "--schedulers",
            metavar="NAME[,NAME]",
            help=f"the schedulers to look at, out of those configured (default: {DEFAULT_SCHEDULERS})",
        )

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """The rows of all names."""
        schedules = _wanted(self.app.config, parsed_args.schedulers)
        with self.installation() as installation:
            return list(self.judge(_by_name(installation.meta, parsed_args.name), schedules))

    @abstractmethod
    def judge(
        self, versions: Iterable[tuple[str, Iterable[Version]]], schedules: Sequence[Schedule]
    ) -> Iterable[Sequence[Any]]:
        """The rows for these names and their versions (each iterable is to be used before the next one is asked for)."""


def _wanted(config: Config, asked: str | None) -> list[Schedule]:
    """The schedules of these names, in that order; each must be configured."""
    known = {schedule.name: schedule for schedule in config.schedules()}
    names = [name.strip() for name in (DEFAULT_SCHEDULERS if asked is None else asked).split(",")]
    missing = [name for name in names if name not in known]
    if missing:
        kind = ConfigError if asked is None else UsageError
        raise kind(
            f"{config.origin} has no scheduler {missing[0]!r}; configured are: {', '.join(known) or 'none'}. Add a section"
            f" [schedule:{missing[0] or 'NAME'}] with interval, keep and sla, or name others with --schedulers."
        )
    return [known[name] for name in dict.fromkeys(names)]


def _by_name(meta: MetaBackend, name: str | None) -> Iterator[tuple[str, Iterable[Version]]]:
    from backy2_core.model.version import VersionFilter

    found = groupby(meta.versions(VersionFilter(name=name)), key=lambda version: version.name)
    some = False
    for each, versions in found:
        some = True
        yield each, versions
    if name is not None and not some:
        yield name, ()
