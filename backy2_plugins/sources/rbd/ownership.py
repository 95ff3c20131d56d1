"""Which snapshots this program made: entries in the image's own metadata, written before the snapshot is made.

A name alone proves nothing, since anybody may give any name. An entry holds the id of the image as well, because a clone
or a copy takes the metadata along. It is kept by the image, so every host sees it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backy2_core.api import ConfigError
from backy2_plugins.sources.rbd import bindings

_PREFIX = "backy2.snapshot/"
_MARK, _DATE = "{mark}", "{date}"
_DATE_FORM = "%Y%m%dT%H%M%SZ"
_FORGOTTEN_AFTER = timedelta(days=1)


def check_pattern(pattern: str) -> str:
    """The pattern itself; raises :class:`ConfigError` where it makes no names that can be told apart."""
    if pattern.count(_MARK) != 1 or re.search(r"[/@\s{}]", pattern.replace(_MARK, "").replace(_DATE, "")):
        raise ConfigError(
            f"[source:rbd] snapshot_name = {pattern} cannot be used: it must hold {_MARK} once, may hold {_DATE}, and no "
            "blanks, slashes, braces or @"
        )
    return pattern


def new_name(pattern: str, mark: str, now: datetime) -> str:
    """The name of a snapshot that is made now."""
    return pattern.replace(_DATE, now.strftime(_DATE_FORM)).replace(_MARK, mark)


def claim(image: Any, name: str, mark: str, now: datetime) -> None:
    """Write down that the snapshot of this name, which is to be made next, is our own."""
    image.metadata_set(_PREFIX + name, f"{image.id()} {mark} {now.strftime(_DATE_FORM)}")


def disclaim(image: Any, name: str) -> None:
    """Forget a snapshot that is gone."""
    try:
        image.metadata_remove(_PREFIX + name)
    except (bindings.rbd().ImageNotFound, KeyError):
        # It was forgotten already.
        pass


def marks(image: Any) -> Mapping[str, str]:
    """The marks of the snapshots that are our own, by name; some of them may not exist."""
    entries = (_parsed(name, value) for name, value in image.metadata_list())
    return {name: mark for name, image_id, mark, _ in filter(None, entries) if image_id == image.id()}


def tidy(image: Any, there: Collection[str], now: datetime) -> None:
    """Remove entries of snapshots that are gone for long, and those that came from another image by cloning or copying.

    Young ones stay: another process may be between entry and snapshot.
    """
    entries = [_parsed(name, value) for name, value in image.metadata_list()]
    for name, image_id, _, written in filter(None, entries):
        if image_id != image.id() or (name not in there and now - written > _FORGOTTEN_AFTER):
            disclaim(image, name)


def _parsed(key: str, value: str) -> tuple[str, str, str, datetime] | None:
    """Name of the snapshot, id of the image, mark and time of an entry; None if it is none of ours."""
    words = value.split()
    if not key.startswith(_PREFIX) or len(words) != 3:
        return None
    try:
        written = datetime.strptime(words[2], _DATE_FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    return key.removeprefix(_PREFIX), words[0], words[1], written
