"""What an event changes in the figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backy2_core.api import (
    BackupFinished,
    CleanupFinished,
    DamageFound,
    Event,
    JobFailed,
    RestoreFinished,
    ScrubFinished,
    VersionRemoved,
    VersionState,
)
from backy2_prometheus.figures import PREFIX

_KINDS = ("read", "written", "dedup", "sparse", "kept")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure gets a value, or with ``adds`` grows by it. ``only_at`` names a figure with the same labels: the change
    counts only if that one has ``only_value``."""

    figure: str
    labels: tuple[str, ...]
    value: float
    adds: bool = False
    only_at: str = ""
    only_value: float = 0.0


def changes_of(event: Event, now_s: float) -> Iterator[Change]:
    """The changes that an event makes; none for one that is not known."""
    if isinstance(event, BackupFinished):
        yield from _backup(event)
    elif isinstance(event, ScrubFinished):
        yield from _scrub(event, now_s)
    elif isinstance(event, RestoreFinished):
        labels = (event.version.name,)
        yield _set("restore_last_timestamp_seconds", labels, now_s)
        yield _set("restore_last_duration_seconds", labels, event.duration_s)
        yield _set("restore_last_damaged_blocks", labels, event.damaged_blocks)
    elif isinstance(event, JobFailed):
        yield _set("job_last_failure_timestamp_seconds", (event.kind, event.name), now_s)
        yield _add("job_failures_total", (event.kind, event.name), 1)
    elif isinstance(event, DamageFound):
        yield _add("damaged_blocks_found_total", (event.version.name,), 1)
    elif isinstance(event, VersionRemoved):
        yield _add("versions_removed_total", (), 1)
    elif isinstance(event, CleanupFinished):
        yield _set("cleanup_last_timestamp_seconds", (), now_s)
        yield _set("cleanup_last_freed_bytes", (), event.freed_bytes)
        yield _add("cleanup_freed_bytes_total", (), event.freed_bytes)
        yield _add("cleanup_deleted_blobs_total", (), event.deleted_blobs)


def _backup(event: BackupFinished) -> Iterator[Change]:
    version, statistics, labels = event.version, event.statistics, (event.version.name,)
    valid = version.state is VersionState.VALID
    if valid:
        yield _set("backup_last_success_timestamp_seconds", labels, version.date.timestamp())
    yield _set("backup_last_valid", labels, valid)
    yield _set("backup_last_duration_seconds", labels, statistics.duration_s)
    yield _set("backup_last_size_bytes", labels, statistics.size_bytes)
    yield _add("backups_total", labels, 1)
    for kind in _KINDS:
        count = getattr(statistics.counts, f"bytes_{kind}")
        yield _set("backup_last_bytes", (*labels, kind), count)
        yield _add("backup_bytes_total", (*labels, kind), count)


def _scrub(event: ScrubFinished, now_s: float) -> Iterator[Change]:
    version, labels = event.version, (event.version.name,)
    yield _set("scrub_last_timestamp_seconds", labels, now_s)
    yield _set("scrub_last_duration_seconds", labels, event.duration_s)
    yield _set("scrub_last_checked_blocks", labels, event.checked_blocks)
    yield _set("scrub_last_damaged_blocks", labels, event.damaged_blocks)
    yield _set("scrub_last_different_blocks", labels, event.different_blocks)
    if event.damaged_blocks:
        # Of the last version only: damage in an older one does not make it wrong to rely on the last.
        last, date = PREFIX + "backup_last_success_timestamp_seconds", version.date.timestamp()
        yield Change(PREFIX + "backup_last_valid", labels, 0, only_at=last, only_value=date)


def _set(figure: str, labels: tuple[str, ...], value: float) -> Change:
    return Change(PREFIX + figure, labels, float(value))


def _add(figure: str, labels: tuple[str, ...], value: float) -> Change:
    return Change(PREFIX + figure, labels, float(value), adds=True)
