"""The windows in which processes are killed, and how often in each. The four that the project promises are ``named``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A stretch of a job between two of its steps.

    ``points`` are where the process is killed within it (each as often as the others); ``most`` is the highest arrival at
    which it is tried. ``named`` is the promised window that it belongs to.
    """

    name: str
    kind: str
    points: tuple[str, ...]
    kills: int
    most: int = 1
    named: str = ""


PUT_RECORD = "put to record"
RECORD_VALID = "record to valid"
RM_CLEANUP = "rm to cleanup"
CONDEMN_DELETE = "condemn to delete"

WINDOWS = (
    Window("put to flush", "backup", ("after data.put", "before data.flush"), 10, 40, PUT_RECORD),
    Window(
        "inside flush", "backup", ("after store.sync", "before store.rename", "after store.rename"), 9, 30, PUT_RECORD
    ),
    Window("flush to record", "backup", ("after data.flush", "before meta.add_blobs"), 10, 3, PUT_RECORD),
    Window("record to append", "backup", ("after meta.add_blobs", "before meta.append_segments"), 10, 3, RECORD_VALID),
    Window(
        "append to marker", "backup", ("after meta.append_segments", "before data.write_document"), 10, 2, RECORD_VALID
    ),
    Window(
        "packs to marker", "backup", ("before data.create_document", "after data.create_document"), 6, 1, RECORD_VALID
    ),
    Window(
        "marker to valid", "backup", ("after data.write_document", "before meta.finish_version"), 8, 1, RECORD_VALID
    ),
    Window("right after valid", "backup", ("after meta.finish_version", "before meta.end_job"), 6),
    Window("before a commit of a backup", "backup", ("before sql.commit",), 14, 14),
    Window("before rm", "rm", ("before meta.remove_version",), 6),
    Window("after rm", "rm", ("after meta.remove_version",), 12, 1, RM_CLEANUP),
    Window("before a commit of rm", "rm", ("before sql.commit",), 6, 2),
    Window("begin of a cleanup", "cleanup", ("after meta.begin_job", "after meta.abandon_versions"), 6, 1, RM_CLEANUP),
    Window(
        "marker to purge", "cleanup", ("after data.delete_document", "before meta.purge_versions"), 6, 1, RM_CLEANUP
    ),
    Window("purge to horizon", "cleanup", ("after meta.purge_versions", "before meta.horizon"), 4),
    Window(
        "condemning",
        "cleanup",
        ("after meta.sweep_segments", "before meta.sweep_blobs", "after meta.sweep_blobs"),
        9,
        4,
    ),
    Window("between two rounds", "cleanup/later", ("after meta.begin_job", "after meta.horizon"), 8, 1, CONDEMN_DELETE),
    Window("deleting to objects", "cleanup/later", ("before data.delete",), 8, 3, CONDEMN_DELETE),
    Window("among objects", "cleanup/later", ("before store.unlink", "after store.unlink"), 8, 30, CONDEMN_DELETE),
    Window(
        "objects to records", "cleanup/later", ("after data.delete", "before meta.forget_blobs"), 8, 3, CONDEMN_DELETE
    ),
    Window(
        "orphans doomed", "cleanup/orphans", ("after meta.doom_objects", "before data.delete"), 8, 3, CONDEMN_DELETE
    ),
    Window("before a commit of a cleanup", "cleanup", ("before sql.commit",), 14, 60),
    Window("restore, writing", "restore", ("before target.write", "after target.write", "after target.zero"), 12, 30),
    Window("restore, at the end", "restore", ("after target.flush", "before target.flush"), 4),
)

IMPORTS = (
    Window("create to take-over", "import", ("after meta.create_version", "before meta.take_over_blobs"), 4, 2),
    Window("take-over to append", "import", ("after meta.take_over_blobs", "before meta.append_segments"), 8, 2),
    Window("append to finish", "import", ("after meta.append_segments", "before meta.finish_version"), 8, 2),
    Window("copy to finish", "import", ("after data.create_document", "after data.write_document"), 6),
    Window("finish to statistics", "import", ("after meta.finish_version", "before meta.add_statistics"), 6),
    Window("statistics to end", "import", ("after meta.add_statistics", "before meta.end_job"), 4),
    Window("before a commit of an import", "import", ("before sql.commit",), 8, 8),
)
"""Windows of imports; see :mod:`tests.crash.test_killed_imports`."""

AT_RANDOM = {"backup": 20, "rm": 8, "cleanup": 14, "restore": 10}
"""Kills from outside at a random moment, by the kind of job."""

PROMISED_IN_ALL = 200
PROMISED_IN_EACH = 20


def planned() -> dict[str, int]:
    """How many kills are planned in each promised window."""
    sums: dict[str, int] = {}
    for window in WINDOWS:
        if window.named:
            sums[window.named] = sums.get(window.named, 0) + window.kills
    return sums
