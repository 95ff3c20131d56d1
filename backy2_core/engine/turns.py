"""Backups of one name take turns: a second one waits, is refused, or runs beside the first, as configured.

Side by side they harm nothing; they only do much of the work twice. So a turn is a courtesy: where it can be told that the job
whose turn it is died on this very host, its lease is not waited for.
"""

from __future__ import annotations

import enum
import logging
import os
import time
from collections.abc import Callable
from typing import TypeVar

from backy2_core.engine.context import Engine
from backy2_core.errors import RefusedError
from backy2_core.model.job import Job, JobState

log = logging.getLogger(__name__)
T = TypeVar("T")

_POLL_S = 1.0
_JOBS = 1_000_000


class SameName(enum.StrEnum):
    """What becomes of a backup while another one of the same name runs."""

    WAIT = "wait"
    REFUSE = "refuse"
    SIDE_BY_SIDE = "side_by_side"


def in_turn(engine: Engine, work: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """What ``work`` returns; while its job is refused because of another one that will end, it waits and begins anew.

    ``work`` has done nothing yet when its job is refused. Raises that :class:`RefusedError` unless waiting is configured.
    """
    told = False
    while True:
        try:
            return work()
        except RefusedError as error:
            if not error.retryable or engine.options.same_name != SameName.WAIT:
                raise
            if not told:
                log.info("Waiting: %s", error)
            told = True
        sleep(_POLL_S)


def turn_of(engine: Engine, name: str) -> str:
    """What the job of a backup of that name is to be alone at; nothing where it need not wait for its turn."""
    if engine.options.same_name == SameName.SIDE_BY_SIDE:
        return ""
    turn = f"backup {name}"
    others = [job for job in engine.meta.jobs({JobState.LIVE}, limit=_JOBS) if job.alone == turn]
    if any(_died_here(job, engine.options.host) for job in others):
        log.info("Job %d died on this host; not waiting for its lease to run out", others[0].id)
        return ""
    return turn


def _died_here(job: Job, host: str) -> bool:
    if job.host != host or job.pid <= 0:
        return False
    try:
        os.kill(job.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
