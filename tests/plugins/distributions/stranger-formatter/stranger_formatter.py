"""Formatter ``markdown``: a table for a page."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from backy2_core.api import ListFormatter, SingleFormatter, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """Serves lists and records."""
    return Markdown()


class Markdown(ListFormatter, SingleFormatter):
    """Pipes and dashes."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        pass

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        for row in (column_names, ["---"] * len(column_names), *data):
            stdout.write("| " + " | ".join(str(cell) for cell in row) + " |\n")

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        self.emit_list(["field", "value"], list(zip(column_names, data, strict=True)), stdout, parsed_args)
