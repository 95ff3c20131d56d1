"""The manipulations, one by one, with the exit codes that restore, scrub and check end with afterwards.

All are of the version ``new``, unless their name says otherwise; so are the jobs. The table in docs/encryption.md is made of
this: ``python -m tests.tamper.matrix`` prints it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.tamper.manipulation import DAMAGE, NOT_FOUND, OK, STORE, Manipulation
from tests.tamper.of_database import maps, records, versions
from tests.tamper.of_store import blobs, documents, identity
from tests.tamper.world import World


def matrix() -> list[Manipulation]:
    """All of them, group by group."""
    return [*blobs(), *records(), *maps(), *versions(), *documents(), *identity(), *_states()]


def _states() -> Iterable[Manipulation]:
    group = "older state"

    def store(w: World) -> None:
        _put_back(w.site.store, _before(w) / "data")

    def database(w: World) -> None:
        shutil.copy(_before(w) / "meta.sqlite", w.site.database)

    def both(w: World) -> None:
        store(w)
        database(w)

    yield Manipulation(group, "of the store alone", store, check=DAMAGE)
    yield Manipulation(
        group,
        "of the database alone",
        database,
        NOT_FOUND,
        NOT_FOUND,
        STORE,
        "the store knows a version that the database does not",
    )
    yield Manipulation(
        group,
        "of store and database together",
        both,
        NOT_FOUND,
        NOT_FOUND,
        OK,
        "**not detectable from within**: all is in order as it was then",
    )


def _before(w: World) -> Path:
    return w.twin_store.parent / "before"


def _put_back(there: Path, old: Path) -> None:
    shutil.rmtree(there)
    shutil.copytree(old, there)


def table() -> str:
    """The matrix as the page has it."""
    rows = ["| what | manipulation | restore | scrub | check | note |", "|---|---|---|---|---|---|"]
    for each in matrix():
        rows.append(f"| {each.group} | {each.text} | {each.restore} | {each.scrub} | {each.check} | {each.note} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(table())
