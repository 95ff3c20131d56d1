"""The process that asks librbd object by object what is in an image or changed in it; not for people.

It has a process of its own because that call may crash: see docs/decisions/0020-rbd-differences.md. It reads a question as JSON
from standard input, and writes one line of JSON for each window, then one that says that it is done, or what went wrong.
"""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TextIO

from backy2_core.api import BackyError, SourceError
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.extents import Window, allocated, changed
from backy2_plugins.sources.rbd.failures import failure, translated
from backy2_plugins.sources.rbd.url import Name, Place

_AT_ONCE = "32"


@dataclass(frozen=True, slots=True)
class Point:
    """A snapshot by its id, and the name that it must have."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: what changed from ``older`` to ``newer``, or without ``older`` what is allocated in ``newer``.

    ``newer`` is None for the image as it is now. ``start`` is the end of the last window that was told already.
    """

    access: Access
    name: Name
    image_id: str
    newer: Point | None
    older: Point | None
    start: int = 0


def question_from(members: dict[str, Any]) -> Question:
    """The question that was sent as JSON."""
    name = members["name"]
    return Question(
        access=Access(**members["access"]),
        name=Name(Place(**name["place"]), name["image"], name["snapshot"]),
        image_id=members["image_id"],
        newer=Point(**members["newer"]) if members["newer"] else None,
        older=Point(**members["older"]) if members["older"] else None,
        start=members["start"],
    )


def answer(question: Question) -> Iterator[Window]:
    """The windows, in order. Raises :class:`SourceError`."""
    name = question.name
    url = name.place.url(name.image)
    with ExitStack() as undo:
        options = {"rbd_concurrent_management_ops": _AT_ONCE}
        connection = undo.enter_context(Connection(question.access, url, name.place, SourceError, **options))
        newer = undo.enter_context(connection.image(name, question.image_id))
        undo.enter_context(translated(SourceError, f"find out what is in {url}"))
        if question.newer is not None:
            _go_to(newer, name, question.newer)
        if question.older is None:
            yield from allocated(newer, question.start)
            return
        older = undo.enter_context(connection.image(name, question.image_id))
        _go_to(older, name, question.older)
        for window in changed(newer, older, question.older.name, question.start):
            # The library takes the older one by its name only; by then it may be the name of another.
            _check(newer, name, question.older)
            yield window


def main(asked: TextIO, told: TextIO) -> int:
    """Answer one question."""
    # Of the keyboard's interruption the asking process takes care, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for window in answer(question_from(json.load(asked))):
            extents = [(extent.offset, extent.length, extent.exists) for extent in window.extents]
            _tell(told, {"end": window.end, "extents": extents})
    except BackyError as error:
        _tell(told, {"error": str(error), "retryable": error.retryable})
        return 1
    _tell(told, {"done": True})
    return 0


def _tell(told: TextIO, members: dict[str, Any]) -> None:
    told.write(json.dumps(members) + "\n")
    told.flush()


def _go_to(image: Any, name: Name, point: Point) -> None:
    _check(image, name, point)
    image.set_snap_by_id(point.id)


def _check(image: Any, name: Name, point: Point) -> None:
    """The snapshot of this name is the one of this id; else :class:`SourceError`."""
    gone = f"snapshot {point.name} (id {point.id}) is not there any more"
    with translated(SourceError, f"read {name.place.url(name.image)}@{point.name}", {errno.ENOENT: gone}):
        found = image.snap_get_id(point.name)
    if found != point.id:
        raise failure(
            SourceError, f"read {name.place.url(name.image)}@{point.name}", errno.ENOENT, {errno.ENOENT: gone}
        )


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
