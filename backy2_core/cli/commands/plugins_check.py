"""Verb ``plugins check``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.plugin_choice import add_choice, chosen_one
from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import (
    ConfigError,
    DataBackendError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    SourceError,
    TargetError,
)

if TYPE_CHECKING:
    from backy2_core.config.load import Config
    from backy2_core.testing.live import Outcome

_BACKENDS = ("data_backend", "meta_backend")


class PluginsCheck(ListVerb):
    """Check the promises of a plugin on the live store, database or device.

    A row for each promise of its contract: kept, broken or skipped, with the time in milliseconds
    and the reason. What is there is not harmed, also while backups and cleanups run beside it:
    a store and a database are given a few things under names of the check's own, which it removes;
    a source is only read; a transform and a formatter work in memory; a listener is made and
    closed, and told of events only with --events. The names data_backend and meta_backend mean
    what the configuration selects. Exit code 11 if a promise is broken.
    """

    example = """
    backy2 plugins check data_backend
    backy2 plugins check meta_backends:sql -f json
    backy2 plugins check sources:file --url file:///dev/vg0/snap
    backy2 plugins check sources:file --target --url file:///tmp/not-there-yet
    """
    exits = (
        ConfigError,
        PluginError,
        SourceError,
        TargetError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        KeyringError,
    )
    columns = ("promise", "verdict", "ms", "reason")
    record_type = "promise"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What is checked, and on what."""
        add_choice(parser)
        parser.add_argument("--url", metavar="URL", help="a source: the device to read")
        parser.add_argument(
            "--target",
            action="store_true",
            help="a source: make what --url names, which must not be there yet, and write to it; it is left there",
        )
        parser.add_argument(
            "--events", action="store_true", help="a listener: tell it of one event of each kind that never happened"
        )

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a promise."""
        # Imported here: the list of verbs needs none of it.
        from backy2_core.assembly.live_checks import CheckRequest, check_live

        group, name = self._choice(parsed_args)
        request = CheckRequest(group, name, parsed_args.url, parsed_args.target, parsed_args.events)
        with self.installation() as installation:
            outcomes = list(check_live(installation, request))
        self.failure = _failure(f"{group.removeprefix('backy2.')}:{name}", outcomes)
        return [(each.promise, each.verdict.value, round(each.ms, 1), each.reason) for each in outcomes]

    def _choice(self, parsed_args: argparse.Namespace) -> tuple[str, str]:
        config: Config = self.app.config
        if parsed_args.group is None and parsed_args.name in _BACKENDS:
            parsed_args.group, parsed_args.name = parsed_args.name, config.type_of(parsed_args.name)
        return chosen_one(self.app.entries, parsed_args)


def _failure(plugin: str, outcomes: Sequence[Outcome]) -> PluginError | None:
    from backy2_core.testing.live import Verdict

    broken = [each.promise for each in outcomes if each.verdict is Verdict.BROKEN]
    if not broken:
        return None
    return PluginError(f"{plugin} breaks {len(broken)} of {len(outcomes)} promises: {'; '.join(broken)}.")
