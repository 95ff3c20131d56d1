"""One job in a process of its own: ``python -m tests.crash.child JOB.json``.

The file describes the job (see :class:`Job`). The exit code is that of the command line; what came of the job is written
to the file ``result``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import backy2_plugins.data_backends.file as file_store
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.engine.backup import backup
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.context import Engine
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, CleanupRequest, RestoreRequest, ScrubRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.retention import remove
from backy2_core.engine.scrub import scrub
from backy2_core.errors import BackyError, DamageError
from backy2_core.exchange.dumps import import_dump
from backy2_core.model.version import VersionUid
from tests.crash.traps import Trap, cut_small, set_early_trap, set_traps
from tests.support.engines import make_engine, open_database, settings_of

OPTIONS = {"workers": 2, "flush_bytes": 24 * 4096, "buffer_bytes": 3 * 16 * 4096, "lease_s": 30.0}


@dataclass(frozen=True)
class Job:
    """What a child is to do.

    ``folder`` holds the database, ``store`` (else the same folder) the store, in ``data``. ``kind`` is backup, restore,
    scrub, rm, cleanup or import, and ``arguments`` are those of its request. ``points``, ``arrival`` and ``action`` say where
    the process stops, see :class:`tests.crash.traps.Trap`. ``small``: work in small batches.
    """

    folder: str
    kind: str
    result: str
    arguments: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    arrival: int = 1
    action: str = "kill"
    store: str = ""
    flush_method: str = "syncfs"
    marks: str = ""
    small: bool = True


def run(job: Job) -> int:
    """Do the job; the exit code."""
    if job.small:
        cut_small()
    marks = os.open(job.marks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if job.marks else -1
    trap = Trap(job.points, job.arrival, job.action, marks)
    set_early_trap(trap)
    code, result = _outcome(job, trap)
    text = json.dumps({"exit": code, "arrivals": trap.arrivals} | result)
    Path(job.result).write_text(text)
    if marks >= 0:
        os.write(marks, b"said finished\n")
    return code


def _outcome(job: Job, trap: Trap) -> tuple[int, dict[str, Any]]:
    try:
        with ExitStack() as stack:
            meta = stack.enter_context(open_database(Path(job.folder)))
            data = stack.enter_context(_open_store(job))
            engine = set_traps(make_engine(meta, data, **OPTIONS | job.options), trap)
            return 0, _JOBS[job.kind](engine, **job.arguments)
    except BackyError as error:
        return error.exit_code, {"error": type(error).__name__, "message": str(error)}


def _open_store(job: Job) -> DataBackend:
    path = str(Path(job.store or job.folder) / "data")
    store: DataBackend = file_store.backy2_open_data_backend(
        settings_of(file_store, path=path, flush_method=job.flush_method)
    )
    return store


def _backup(engine: Engine, *, hints: str | None = None, **arguments: Any) -> dict[str, Any]:
    request = BackupRequest(**arguments, hints=None if hints is None else parse_hints(hints))
    return {"uid": backup(engine, request).version.uid}


def _restore(engine: Engine, **arguments: Any) -> dict[str, Any]:
    result = restore(engine, RestoreRequest(**arguments))
    if result.damaged_blocks:
        raise DamageError(f"{result.damaged_blocks} blocks are damaged, such as {result.damage[0]}")
    return {"bytes": result.restored_bytes}


def _scrub(engine: Engine, **arguments: Any) -> dict[str, Any]:
    result = scrub(engine, ScrubRequest(**arguments))
    if result.damaged_blocks or result.different_blocks:
        raise DamageError(f"{result.damaged_blocks} blocks are damaged, such as {result.damage[:1]}")
    return {"checked": result.checked_blocks}


def _remove(engine: Engine, uid: VersionUid) -> dict[str, Any]:
    remove(engine, get_version(engine.meta, uid))
    return {}


def _import(engine: Engine, dump: str) -> dict[str, Any]:
    with Path(dump).open("rb") as stream:
        return {"uid": import_dump(engine, stream, dump).uid}


def _cleanup(engine: Engine, **arguments: Any) -> dict[str, Any]:
    return asdict(cleanup(engine, CleanupRequest(**arguments)))


_JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "backup": _backup,
    "restore": _restore,
    "scrub": _scrub,
    "rm": _remove,
    "cleanup": _cleanup,
    "import": _import,
}

if __name__ == "__main__":
    sys.exit(run(Job(**json.loads(Path(sys.argv[1]).read_text()))))
