"""What the versions of a source are called, where nobody says, or says it for many at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backy2_core.errors import UsageError

DEFAULT_TEMPLATE = "{name}"

_PLACE = re.compile(r"\{([^{}]*)\}")


def name_of(url: str, template: str = DEFAULT_TEMPLATE) -> str:
    """The name for what ``url`` names: ``{name}`` is the device, the last part of the URL without the name of a snapshot,
    and ``{parent}`` the part before it.

    Raises :class:`UsageError` for another word in braces, or if nothing is left of the URL.
    """
    parts = url.partition("://")[2].split("/")
    known = {"name": parts[-1].partition("@")[0], "parent": parts[-2] if len(parts) > 1 else ""}

    def fill(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise UsageError(f"NAME holds {match[0]}, which stands for nothing; there are {{name}} and {{parent}}.")
        return known[match[1]]

    name = _PLACE.sub(fill, template)
    if not name:
        raise UsageError(f"{url} ends with no name that versions could be called by; give NAME.")
    return name


def names_of(urls: Sequence[str], template: str) -> dict[str, str]:
    """The name for each URL; raises :class:`UsageError` if two would get the same."""
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for url in urls:
        names[url] = name = name_of(url, template)
        if name in taken:
            raise UsageError(
                f"{taken[name]} and {url} would both be backed up as {name}. Nothing was done; give a NAME that tells them"
                " apart, such as {parent}-{name}."
            )
        taken[name] = url
    return names
