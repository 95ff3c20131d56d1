"""Verb ``plugins new``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import PluginError, RefusedError, UsageError

if TYPE_CHECKING:
    from backy2_core.cli.skeleton import NewPlugin

_ROLES = ("source", "data_backend", "meta_backend", "transform", "formatter", "listener", "command")
_EXECUTABLE = ".ci/"

_CHECKS = {
    "source": "backy2 plugins check sources:{name} --url {name}:///path/of/file",
    "data_backend": "backy2 plugins check data_backend",
    "meta_backend": "backy2 plugins check meta_backend",
    "listener": "backy2 plugins check listeners:{name} --events",
    "command": "backy2 {verb}",
}
_ANY_CHECK = "backy2 plugins check {role}s:{name}"


class PluginsNew(PlainVerb):
    """Begin a plugin: write a package that works, to be changed.

    The package holds a small but whole plugin of the role, the entry point, tests by the conformance
    suite of the role, a README, and a script for an integration server. It can be installed and used
    at once. NAME is what users select it by: the scheme of a source, the type of a backend, the
    format of a formatter, the verb of a command (with _ for a blank). Nothing that is there is
    written over. The README of the package says what is in which file.
    """

    example = """
    backy2 plugins new data_backend shelf
    backy2 plugins new command disk_sizes ~/src/disk-sizes
    """
    exits = (PluginError, RefusedError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Role, name, folder."""
        parser.add_argument("role", metavar="ROLE", choices=_ROLES, help=f"what it is: {', '.join(_ROLES)}")
        parser.add_argument("name", metavar="NAME", help="its name: small letters, digits, - and _ (a source: no _)")
        parser.add_argument(
            "folder", metavar="DIR", nargs="?", help="the folder to be made, or an empty one (default: ./backy2-NAME)"
        )

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Write the files, then say what comes next."""
        # Imported here: the list of verbs needs no templates.
        from backy2_core.cli.skeleton import NewPlugin, render

        new = NewPlugin(parsed_args.role, parsed_args.name)
        try:
            new.check_name()
        except ValueError as error:
            raise UsageError(f"{error}.") from error
        self._check_free(new)
        folder = Path(parsed_args.folder or new.distribution).expanduser()
        _write(folder, dict(render(new)))
        self.app.stdout.write(_next_steps(new, folder))

    def _check_free(self, new: NewPlugin) -> None:
        for entry in self.app.entries:
            if (entry.group, entry.name) == (new.group, new.name) and entry.distribution != new.distribution:
                raise RefusedError(
                    f"{entry} is installed: of two with one name none can be used. Choose another name for yours."
                )


def _write(folder: Path, texts: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RefusedError(f"{folder} is not empty, and nothing in it is written over. Name another folder.")
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            if name.startswith(_EXECUTABLE):
                path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from error


def _next_steps(new: NewPlugin, folder: Path) -> str:
    check = _CHECKS.get(new.role, _ANY_CHECK).format(role=new.role, name=new.name, verb=new.verb)
    return f"""\
{folder} holds a {new.role.replace("_", " ")} that works. What comes next:

  cd {folder}
  pip install -e ".[test]"
  pytest
  backy2 plugins list
  {check}

README.md there says how it is configured, and what is in which file.
"""
