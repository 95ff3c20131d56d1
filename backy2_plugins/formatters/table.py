"""Formatter ``table``: a table with rules for people."""

from __future__ import annotations

import argparse

from cliff.formatters.table import TableFormatter

from backy2_core.api import API_VERSION, ListFormatter, hookimpl

backy2_api_version = API_VERSION


class HeadedTableFormatter(TableFormatter):
    """cliff's own table; one without rows still shows its header, where cliff's would be an empty line."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add cliff's options."""
        super().add_argument_group(parser)
        parser.set_defaults(print_empty=True)


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return HeadedTableFormatter()
