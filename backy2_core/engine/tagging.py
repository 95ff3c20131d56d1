"""The tags that a backup gets if nobody names any: ``b_daily``, ``b_weekly``, ``b_monthly``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.version import Version, VersionFilter, VersionState

PERIODS_DAYS = {"b_daily": 1, "b_weekly": 7, "b_monthly": 30}
"""For how many days a tag is given once: the day of the backup, and those before it."""


def automatic_tags(versions: Iterable[Version], now: datetime) -> frozenset[str]:
    """The tags for a backup that begins ``now``, beside the ``versions`` of the same name.

    Days are those of UTC, and count whole: a backup of each night gets ``b_weekly`` on every seventh, even if it begins a
    minute earlier than a week ago. Only valid versions count, and those with a date yet to come count as of today.
    """
    today = now.astimezone(UTC).date()
    given = {
        (tag, (today - version.date.astimezone(UTC).date()).days)
        for version in versions
        if version.state is VersionState.VALID
        for tag in version.tags
    }
    return frozenset(
        tag for tag, days in PERIODS_DAYS.items() if not any(name == tag and age < days for name, age in given)
    )


def automatic_tags_of(meta: MetaBackend, name: str, now: datetime) -> frozenset[str]:
    """The tags for a backup of ``name`` that begins ``now``."""
    return automatic_tags(meta.versions(VersionFilter(name=name, states=frozenset({VersionState.VALID}))), now)
