"""What a new plugin begins with: the files of a package, made from the templates below ``skeletons``.

A template is a file with ``.in`` behind its name, in which ``@word@`` stands for what the plugin is called; ``common`` is for
all roles. In the names of files ``package`` stands for that of the package, and ``dot-`` for a dot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from backy2_core.api import API_VERSION
from backy2_core.plugins.discovery import COMMANDS, GROUPS, SOURCES
from backy2_core.plugins.groups import short

ROLES = {short(group).removesuffix("s"): group for group in GROUPS}
"""Entry-point groups by what one plugin of them is called."""
LONGEST_NAME = 24

_COMMON = "common"
_SUFFIX = ".in"
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_SCHEME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = frozenset({"core", "plugins"})
"""Our own packages are called ``backy2_core`` and ``backy2_plugins``."""


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """A plugin to be begun: its role, one of :data:`ROLES`, and its name."""

    role: str
    name: str

    @property
    def group(self) -> str:
        """Its entry-point group."""
        return ROLES[self.role]

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"backy2-{self.name.replace('_', '-')}"

    @property
    def package(self) -> str:
        """What Python calls it."""
        return f"backy2_{self.name.replace('-', '_')}"

    @property
    def class_name(self) -> str:
        """What its class is called, or begins with."""
        return "".join(part.capitalize() for part in re.split("[_-]", self.name))

    @property
    def verb(self) -> str:
        """What users type, if it is a command."""
        return self.name.replace("_", " ")

    def check_name(self) -> None:
        """ValueError if the name can be none of this role."""
        scheme = self.group == SOURCES
        if not (_SCHEME if scheme else _NAME).fullmatch(self.name):
            also = "and -" if scheme else "_ and -"
            raise ValueError(
                f"{self.name!r} is no name: expected small letters, digits, {also}, beginning with a letter"
            )
        if len(self.name) > LONGEST_NAME:
            raise ValueError(f"{self.name!r} is too long: expected at most {LONGEST_NAME} letters")
        if self.name in _TAKEN:
            raise ValueError(f"{self.name!r} is no name: the package {self.package} is one of backy2 itself")


def render(new: NewPlugin) -> Iterator[tuple[str, str]]:
    """The files of the package: path within its folder, and text."""
    words = {
        "role": new.role,
        "title": new.role.replace("_", " "),
        "name": new.name,
        "verb": new.verb,
        "distribution": new.distribution,
        "package": new.package,
        "Class": new.class_name,
        "group": new.group,
        "entry": f"{new.package}:{new.class_name}" if new.group == COMMANDS else new.package,
        "api_version": str(API_VERSION),
    }
    for part in (_COMMON, new.role):
        for path, template in _templates(files("backy2_core.cli") / "skeletons" / part):
            yield _renamed(path, new.package), _filled_in(template, words)


def _templates(folder: Traversable, before: str = "") -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda found: found.name):
        if each.is_dir():
            yield from _templates(each, f"{before}{each.name}/")
        elif each.name.endswith(_SUFFIX):
            yield before + each.name.removesuffix(_SUFFIX), each.read_text(encoding="utf-8")


def _renamed(path: str, package: str) -> str:
    parts = [re.sub("^dot-", ".", part) for part in path.split("/")]
    return "/".join(package if part == "package" else part for part in parts)


def _filled_in(template: str, words: Mapping[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda found: words[found[1]], template)
