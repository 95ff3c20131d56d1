"""Which figures there are: their names, labels and meanings. Names are an interface; they are never changed."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "backy2_"


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric. One whose name ends with ``_total`` is a counter, all others are gauges."""

    name: str
    help: str
    labels: tuple[str, ...] = ("name",)

    @property
    def is_counter(self) -> bool:
        """Whether it only grows."""
        return self.name.endswith("_total")


_ALL = (
    Figure("backup_last_success_timestamp_seconds", "Date of the last valid version of the name."),
    Figure("backup_last_valid", "1 if the last version is valid, as far as is known, 0 if it is damaged."),
    Figure("backup_last_duration_seconds", "How long the last backup took."),
    Figure("backup_last_size_bytes", "Size of the device at the last backup."),
    Figure(
        "backup_last_bytes",
        "What the last backup did with the device's bytes: read, and of these written or dedup (stored already); "
        "sparse; kept (unchanged, not read).",
        ("name", "kind"),
    ),
    Figure("backup_bytes_total", "The same of all backups together.", ("name", "kind")),
    Figure("backups_total", "Backups that came to their end."),
    Figure(
        "job_last_failure_timestamp_seconds",
        "When a job of this kind (backup, restore, scrub, cleanup, ...) failed last; name is empty where it is of none.",
        ("kind", "name"),
    ),
    Figure("job_failures_total", "Jobs that failed.", ("kind", "name")),
    Figure("scrub_last_timestamp_seconds", "When a version of the name was last scrubbed to its end."),
    Figure("scrub_last_duration_seconds", "How long the last scrub took."),
    Figure("scrub_last_checked_blocks", "Blocks that the last scrub read and checked."),
    Figure("scrub_last_damaged_blocks", "Blocks that the last scrub found damaged or missing."),
    Figure("scrub_last_different_blocks", "Blocks that the last scrub found to differ from the source."),
    Figure("damaged_blocks_found_total", "Damaged blocks that scrubs and restores met."),
    Figure("restore_last_timestamp_seconds", "When a version of the name was last restored."),
    Figure("restore_last_duration_seconds", "How long the last restore took."),
    Figure("restore_last_damaged_blocks", "Blocks that the last restore could not write, as they are damaged."),
    Figure("versions_removed_total", "Versions that were given up.", ()),
    Figure("cleanup_last_timestamp_seconds", "When the last cleanup came to its end.", ()),
    Figure("cleanup_last_freed_bytes", "Bytes that the last cleanup freed in the store.", ()),
    Figure("cleanup_freed_bytes_total", "Bytes that cleanups freed in the store.", ()),
    Figure("cleanup_deleted_blobs_total", "Blobs that cleanups deleted.", ()),
)
FIGURES = {PREFIX + figure.name: figure for figure in _ALL}
"""By full name."""
