"""Verb ``plugins enable``."""

from __future__ import annotations

import argparse

from backy2_core.cli.plugin_choice import add_choice, chosen_one
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, NotFoundError, PluginError


class PluginsEnable(PlainVerb):
    """Switch a plugin on that was switched off.

    Takes it out of the keys disabled_plugins and disabled_listeners of section [backy2] of the
    configuration file; all other lines are kept. What $BACKY2_PLUGINS leaves out stays switched
    off, and the command says so.
    """

    example = """
    backy2 plugins enable listeners:prometheus
    """
    exits = (ConfigError, PluginError, NotFoundError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """One word or two."""
        add_choice(parser)

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Write it down."""
        from backy2_core.cli.switching import enable

        enable(self.app, *chosen_one(self.app.entries, parsed_args))
