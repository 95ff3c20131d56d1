"""Commands ``hello world``, of cliff alone, and ``oldest`` and ``oldest one``, through the door for commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.command import Command

from backy2_core.api import MetaBackendError, NotFoundError, Version, VersionFilter
from backy2_core.api_commands import ListVerb, Moment, Names, PlainVerb, RecordVerb


class HelloWorld(Command):
    """Greet the world."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.app.stdout.write(f"hello {parsed_args.name}\n")


def oldest_first(verb: ListVerb | RecordVerb | PlainVerb, name: str | None) -> list[Version]:
    with verb.installation() as installation:
        return sorted(installation.meta.versions(VersionFilter(name=name)), key=lambda version: version.date)


class Oldest(ListVerb):
    """List versions, the oldest first.

    All of them, or those of one name.
    """

    example = "backy2 oldest vm1 -f json"
    exits = (MetaBackendError,)
    columns = ("date", "name", "size_bytes", "tags")
    size_columns = ("size_bytes",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        return [
            (Moment(version.date), version.name, version.geometry.size_bytes, Names(version.tags))
            for version in oldest_first(self, parsed_args.name)
        ]


class OldestOne(RecordVerb):
    """Show the oldest version of a name."""

    example = "backy2 oldest one vm1"
    exits = (MetaBackendError, NotFoundError)
    columns = ("uid", "date")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        found = oldest_first(self, parsed_args.name)
        if not found:
            raise NotFoundError(f"there is no version of {parsed_args.name}; backy2 ls shows which there are")
        return (found[0].uid, Moment(found[0].date))


class OldestStored(PlainVerb):
    """Say where the blobs are."""

    example = "backy2 oldest stored"

    def act(self, parsed_args: argparse.Namespace) -> None:
        with self.installation() as installation:
            self.app.stdout.write(f"{installation.data.location}\n")
