"""Which plugins are installed: entry points, read but not loaded."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SOURCES = "backy2.sources"
DATA_BACKENDS = "backy2.data_backends"
META_BACKENDS = "backy2.meta_backends"
TRANSFORMS = "backy2.transforms"
LISTENERS = "backy2.listeners"
FORMATTERS = "backy2.formatters"
COMMANDS = "backy2.commands"
GROUPS = (SOURCES, DATA_BACKENDS, META_BACKENDS, TRANSFORMS, LISTENERS, FORMATTERS, COMMANDS)

OWN_DISTRIBUTION = "backy2"
RESTRICTION = "BACKY2_PLUGINS"
"""Environment variable: names of the distributions whose plugins are seen, separated by commas."""


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """One installed entry point: what a distribution says it has, before anything of it was imported.

    ``disabled`` is True where ``$BACKY2_PLUGINS`` leaves the distribution out.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    disabled: bool
    entry_point: importlib.metadata.EntryPoint = field(repr=False)

    def __str__(self) -> str:
        return f"plugin {self.name!r} of group {self.group} (distribution {self.distribution} {self.version})"


def installed_entries(environ: Mapping[str, str] = os.environ) -> tuple[PluginEntry, ...]:
    """Every entry point of our groups, by group, name and distribution; imports none of them.

    Read afresh at each call, about a millisecond: stevedore's cache forgets the distribution, and takes up to two
    minutes to notice that one was installed again.
    """
    allowed = _allowed(environ.get(RESTRICTION))
    found = importlib.metadata.entry_points()
    # One for each distribution, not for each entry point: it parses the METADATA file.
    identity = functools.cache(_identity)
    entries = [
        _describe(point, *identity(point.dist), allowed) for group in GROUPS for point in found.select(group=group)
    ]
    return tuple(sorted(entries, key=lambda e: (GROUPS.index(e.group), e.name, e.distribution)))


def seen_entries(entries: Iterable[PluginEntry], group: str) -> list[PluginEntry]:
    """Those of one group that are not disabled."""
    return [entry for entry in entries if entry.group == group and not entry.disabled]


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
        disabled=allowed is not None and _normalised(distribution) not in allowed,
        entry_point=point,
    )


def _identity(dist: importlib.metadata.Distribution | None) -> tuple[str, str]:
    # A half-installed distribution has no METADATA: it is still to be listed, not to break every command.
    names, versions = (dist.metadata.get_all(key) if dist is not None else None for key in ("Name", "Version"))
    return str(names[0]) if names else "unknown", str(versions[0]) if versions else "unknown"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
