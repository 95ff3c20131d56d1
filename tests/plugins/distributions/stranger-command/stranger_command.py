"""Command ``hello world``."""

from __future__ import annotations

import argparse

from cliff.command import Command


class HelloWorld(Command):
    """Greet the world."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.app.stdout.write(f"hello {parsed_args.name}\n")
