"""Arguments that several verbs understand alike: dates, and names of tags."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime

_DATE_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")

UID_HELP = "the version: its uid, the beginning of it, or latest:NAME"
DATE_HELP = "YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS' or YYYY-MM-DDTHH:MM:SS, in UTC; without a time the day's beginning"


def moment(text: str) -> datetime:
    """A date, with or without a time, in UTC."""
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise argparse.ArgumentTypeError(
        f"{text!r} is no date; write YYYY-MM-DD, 'YYYY-MM-DD HH:MM:SS' or YYYY-MM-DDTHH:MM:SS (UTC)"
    )


def moment_or_none(text: str) -> datetime | None:
    """A date, or nothing for an empty text."""
    return moment(text) if text else None


def split_tags(texts: Iterable[str]) -> frozenset[str]:
    """The tags in all texts; each may hold several with commas between."""
    return frozenset(tag for text in texts for part in text.split(",") if (tag := part.strip()))


def some_tags(text: str) -> frozenset[str]:
    """One tag, or several with commas between; not none."""
    tags = split_tags([text])
    if not tags:
        raise argparse.ArgumentTypeError(f"{text!r} names no tag")
    return tags
