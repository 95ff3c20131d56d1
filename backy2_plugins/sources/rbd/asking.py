"""Asking another process what is in an image, and asking again where it crashed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import IO, Any

from backy2_core.api import Extent, SourceError
from backy2_plugins.sources.rbd.differ import Question
from backy2_plugins.sources.rbd.extents import Window

_MODULE = "backy2_plugins.sources.rbd.differ"
_ATTEMPTS = 5
_LINES_SHOWN = 3
log = logging.getLogger(__name__)


def windows(question: Question) -> Iterator[Window]:
    """The answer, window by window. Raises :class:`SourceError`.

    A process that is killed by a signal is followed by another one, which goes on behind the last whole window.
    """
    crashes = 0
    while True:
        try:
            for window in _told(question):
                question = replace(question, start=window.end)
                yield window
            return
        except _Crash as crash:
            crashes += 1
            url = question.name.place.url(question.name.image)
            if crashes == _ATTEMPTS:
                raise SourceError(
                    f"cannot find out what is in {url}: librbd crashed {crashes} times, at last by {crash}"
                ) from crash
            log.info("librbd crashed (%s) on being asked what is in %s; asking again", crash, url)


class _Crash(Exception):
    """The process was killed by a signal."""


def _told(question: Question) -> Iterator[Window]:
    with tempfile.TemporaryFile("w+") as complaints:
        process = _start(complaints)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            _send(process.stdin, question)
            position = question.start
            for line in process.stdout:
                told = json.loads(line)
                if "done" in told:
                    return
                if "error" in told:
                    raise SourceError(told["error"], retryable=told["retryable"])
                yield Window(position, told["end"], [Extent(*extent) for extent in told["extents"]])
                position = told["end"]
        except ValueError:
            # A line that was cut by a crash; its exit code says so below.
            pass
        finally:
            process.kill()
            process.stdout.close()
            code = process.wait()
        raise _early_end(code, complaints)


def _start(complaints: IO[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=environment,
        text=True,
    )


def _send(stdin: IO[str], question: Question) -> None:
    try:
        with stdin:
            json.dump(asdict(question), stdin)
    except BrokenPipeError:
        # It ended before it read; why, it says by its exit code.
        pass


def _early_end(code: int, complaints: IO[str]) -> Exception:
    """What to raise where the process ended without having said that it was done."""
    if code < 0:
        return _Crash(f"signal {-code}")
    complaints.seek(0)
    last = " | ".join(complaints.read().splitlines()[-_LINES_SHOWN:])
    return SourceError(f"the process that asks librbd ended with code {code} ({_MODULE}): {last or 'it said nothing'}")


def extents(found: Iterator[Window]) -> Iterator[Extent]:
    """All extents of the windows."""
    for window in found:
        yield from window.extents


def joined(found: Iterator[Extent]) -> Iterator[Extent]:
    """Ascending extents, joined where they touch, as at the ends of windows."""
    last: Any = None
    for extent in found:
        if last is not None and last.end == extent.offset:
            last = Extent(last.offset, last.length + extent.length)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last
