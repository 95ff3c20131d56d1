"""Verb ``plugins list``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import PluginError


class PluginsList(ListVerb):
    """List all installed plugins.

    Tries to load each of them. The state is ok, broken (the reason says why), duplicate (two
    distributions claim the name) or disabled (by `backy2 plugins disable`, or $BACKY2_PLUGINS
    leaves its distribution out; the reason says which). A broken plugin harms nothing as long as
    nobody selects it. One that takes more than 30 seconds to load ($BACKY2_PLUGIN_SECONDS sets
    another limit) counts as broken.
    """

    example = """
    backy2 plugins list
    backy2 plugins list -f json
    """
    exits = (PluginError,)
    columns = ("group", "name", "distribution", "version", "api", "state", "reason")
    record_type = "plugin"

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a plugin."""
        for row in self.app.registry.inspect_all():
            api = "" if row.api_version is None else row.api_version
            yield row.group, row.name, row.distribution, row.version, api, row.state.value, row.reason
