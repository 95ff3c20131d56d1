"""Verb ``plugins disable``."""

from __future__ import annotations

import argparse

from backy2_core.cli.plugin_choice import add_choice, chosen_one
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, NotFoundError, PluginError


class PluginsDisable(PlainVerb):
    """Switch a plugin off.

    It stays installed, but is not used any more: where it is selected, by a URL, an option or the
    configuration, the command ends with exit code 11 and says so. Ours can be switched off like
    others. The plugin is written into the key disabled_plugins of section [backy2] of the
    configuration file; all other lines, its mode and its owner are kept. Without a configuration
    file one is made, and the command says where. Commands cannot be switched off.
    """

    example = """
    backy2 plugins disable listeners:prometheus
    backy2 plugins disable sources rbd
    """
    exits = (ConfigError, PluginError, NotFoundError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """One word or two."""
        add_choice(parser)

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Write it down."""
        # Imported here: the list of verbs needs no configuration.
        from backy2_core.cli.switching import disable

        disable(self.app, *chosen_one(self.app.entries, parsed_args))
