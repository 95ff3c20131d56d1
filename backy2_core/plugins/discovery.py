"""Which plugins are installed: entry points, read but not loaded."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

SOURCES = "backy2.sources"
DATA_BACKENDS = "backy2.data_backends"
META_BACKENDS = "backy2.meta_backends"
TRANSFORMS = "backy2.transforms"
LISTENERS = "backy2.listeners"
FORMATTERS = "backy2.formatters"
COMMANDS = "backy2.commands"
GROUPS = (SOURCES, DATA_BACKENDS, META_BACKENDS, TRANSFORMS, LISTENERS, FORMATTERS, COMMANDS)

PREFIX = "backy2."
OWN_DISTRIBUTION = "backy2"
RESTRICTION = "BACKY2_PLUGINS"
"""Environment variable: names of the distributions whose plugins are seen, separated by commas."""
_LEFT_OUT = f"${RESTRICTION} does not name its distribution"


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """One installed entry point: what a distribution says it has, before anything of it was imported.

    ``disabled`` says by what it is switched off; empty where it is not.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    disabled: str
    entry_point: importlib.metadata.EntryPoint = field(repr=False)

    @property
    def notation(self) -> str:
        """Group and name as people write them: ``data_backends:file``."""
        return f"{self.group.removeprefix(PREFIX)}:{self.name}"

    def __str__(self) -> str:
        return f"plugin {self.name!r} of group {self.group} (distribution {self.distribution} {self.version})"


def installed_entries(environ: Mapping[str, str] = os.environ) -> tuple[PluginEntry, ...]:
    """Every entry point of our groups, by group, name and distribution; imports none of them.

    Read afresh at each call, about a millisecond: stevedore's cache forgets the distribution, and takes up to two
    minutes to notice that one was installed again.
    """
    allowed = _allowed(environ.get(RESTRICTION))
    found = importlib.metadata.entry_points()
    # One for each distribution, not for each entry point: it reads the METADATA file.
    identity = functools.cache(_identity)
    entries = [
        _describe(point, *identity(point.dist), allowed) for group in GROUPS for point in found.select(group=group)
    ]
    return tuple(sorted(entries, key=lambda e: (GROUPS.index(e.group), e.name, e.distribution)))


def seen_entries(entries: Iterable[PluginEntry], group: str) -> list[PluginEntry]:
    """Those of one group that are not disabled."""
    return [entry for entry in entries if entry.group == group and not entry.disabled]


def switch_off(entries: Iterable[PluginEntry], reasons: Mapping[str, str]) -> tuple[PluginEntry, ...]:
    """The entries, with those disabled whose :attr:`PluginEntry.notation` is a key of ``reasons``."""
    return tuple(
        replace(entry, disabled=entry.disabled or reasons[entry.notation]) if entry.notation in reasons else entry
        for entry in entries
    )


def _allowed(restriction: str | None) -> frozenset[str] | None:
    if restriction is None:
        return None
    names = (_normalised(name.strip()) for name in restriction.split(","))
    return frozenset(name for name in names if name) | {OWN_DISTRIBUTION}


def _describe(
    point: importlib.metadata.EntryPoint, distribution: str, version: str, allowed: frozenset[str] | None
) -> PluginEntry:
    return PluginEntry(
        group=point.group,
        name=point.name,
        value=point.value,
        distribution=distribution,
        version=version,
        disabled="" if allowed is None or _normalised(distribution) in allowed else _LEFT_OUT,
        entry_point=point,
    )


def _identity(dist: importlib.metadata.Distribution | None) -> tuple[str, str]:
    # A half-installed distribution has no METADATA: it is still to be listed, not to break every command. Only the two lines
    # are looked for: to parse the whole with its long description takes ten times as long, at every start.
    text = (dist.read_text("METADATA") or dist.read_text("PKG-INFO") or "") if dist is not None else ""
    head = text.partition("\n\n")[0]
    name, version = (re.search(rf"^{key}:[ \t]*(\S.*?)[ \t\r]*$", head, re.MULTILINE) for key in ("Name", "Version"))
    return name[1] if name else "unknown", version[1] if version else "unknown"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
