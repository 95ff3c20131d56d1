"""A database and a store that jobs in other processes work on, and what must be true of them whatever happened.

Nothing here asks the engine what is in order: the files of the store and the rows of the database are read directly, and
what a version must hold is kept beside them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.context import Engine
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import CleanupRequest, CleanupResult, RestoreRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.retention import remove
from backy2_core.model.version import Version, VersionFilter, VersionState, VersionUid
from tests.crash.audit import check_exact, column, objects
from tests.crash.child import OPTIONS, Job
from tests.crash.zygote import Zygote
from tests.support.engines import make_engine, open_database, open_folder_store

BLOCK = 4096
ALL = frozenset(VersionState)


@dataclass(frozen=True)
class Outcome:
    """How a child ended: ``exit`` is its exit code, or minus the signal that ended it."""

    exit: int
    result: dict[str, Any]
    output: str

    @property
    def killed(self) -> bool:
        return self.exit == -signal.SIGKILL

    @property
    def message(self) -> str:
        return str(self.result.get("message", ""))


@dataclass(frozen=True)
class Running:
    """A child under way."""

    pid: int
    job: Job
    output: Path


class World:
    """One database and one store, and the content of every version by its name.

    All is in ``folder``, unless the database has another (``home``) or the store (``store``).
    """

    def __init__(
        self, folder: Path, zygote: Zygote, seed: int | str, *, home: Path | None = None, store: Path | None = None
    ) -> None:
        self.folder = folder
        self.home = home or folder
        self.store = store or folder
        self.random = random.Random(seed)
        self.checked = 0
        """How many restores were compared."""
        self.hints: dict[str, str] = {}
        """For sources that are to be backed up with hints, by name."""
        self._zygote = zygote
        self._numbers = 0
        self._pool = [self.random.randbytes(BLOCK) for _ in range(300)]
        self._images: dict[str, bytes] = {}
        self._must_be_valid: set[str] = set()
        self._meta: MetaBackend | None = None
        with self.engine():
            pass

    # -- what jobs work on

    @contextmanager
    def engine(self, **options: Any) -> Iterator[Engine]:
        """An engine in this process."""
        with self.meta() as meta, open_folder_store(self.store) as data:
            yield make_engine(meta, data, **OPTIONS | options)

    @contextmanager
    def meta(self) -> Iterator[MetaBackend]:
        """The meta backend in this process.

        No connection stays open when it is not in use: else SQLite would not have to recover what a killed process left.
        """
        meta = self._meta = self._meta or open_database(self.home)
        try:
            yield meta
        finally:
            meta._database._engine.dispose()  # type: ignore[attr-defined]

    def new_image(self, blocks: int | None = None, *, fresh: float = 0.3) -> str:
        """A new source; its name, which is also that of the version to be made of it.

        Its blocks are holes, blocks that other images may share, and (``fresh``) blocks that no other has.
        """
        count = blocks or self.random.randrange(64, 260)
        data = bytearray()
        for _ in range(count):
            draw = self.random.random()
            if draw < fresh:
                data += self.random.randbytes(BLOCK)
            elif draw < fresh + 0.2:
                data += bytes(BLOCK)
            else:
                data += self.random.choice(self._pool)
        return self.add_image(bytes(data[: len(data) - self.random.choice((0, 0, 1234))]))

    def changed_image(self, base: str, *, within: range | None = None) -> tuple[str, str]:
        """A new source that differs from another in some blocks (``within`` a range), and the hints that say where."""
        data = bytearray(self._images[base])
        blocks = within or range(len(data) // BLOCK)
        changed = self.random.sample(blocks, max(1, len(blocks) // 8))
        for block in changed:
            data[block * BLOCK : (block + 1) * BLOCK] = self.random.choice(
                (self._pool[0], self.random.randbytes(BLOCK))
            )
        hints = [{"offset": block * BLOCK, "length": BLOCK, "exists": "true"} for block in sorted(changed)]
        name, text = self.add_image(bytes(data)), json.dumps(hints)
        self.hints[name] = text
        return name, text

    def add_image(self, data: bytes) -> str:
        """A new source with this content; its name."""
        name = f"image-{self._number()}"
        self._images[name] = data
        self.path(name).write_bytes(data)
        return name

    def same_image(self, name: str) -> str:
        """A new source with the content of another."""
        return self.add_image(self._images[name])

    def path(self, name: str) -> Path:
        """The file of a source."""
        return self.folder / name

    def content(self, name: str) -> bytes:
        """The bytes of a source."""
        return self._images[name]

    # -- jobs in other processes

    def start(self, kind: str, arguments: dict[str, Any], **more: Any) -> Running:
        """Start a job in a child; ``more`` as in :class:`tests.crash.child.Job`."""
        number = self._number()
        result, output = self.folder / f"result-{number}", self.folder / f"output-{number}"
        job = Job(str(self.home), kind, str(result), arguments, store=str(self.store), **more)
        return Running(self._zygote.start(asdict(job), output), job, output)

    def wait(self, running: Running) -> Outcome:
        """The end of a child. One that ended by itself must have said how."""
        status = self._zygote.wait(running.pid)
        result = Path(running.job.result)
        output = running.output.read_text() if running.output.exists() else ""  # killed before it could open it
        found = json.loads(result.read_text()) if result.exists() and result.stat().st_size else {}
        code = os.waitstatus_to_exitcode(status)
        assert found or code < 0, f"{running.job} ended with {code} and no result:\n{output}"
        if code == 0 and running.job.kind == "backup":
            self._must_be_valid.add(str(found["uid"]))
        for path in (result, running.output):
            path.unlink(missing_ok=True)
        return Outcome(code, found, output)

    def wait_stopped(self, running: Running) -> None:
        """Return when a child stands at its trap."""
        status = self._zygote.wait(running.pid, stopped_too=True)
        assert os.WIFSTOPPED(status), f"{running.job} ended before it came to its trap: {running.output.read_text()}"

    def run(self, kind: str, arguments: dict[str, Any], **more: Any) -> Outcome:
        """Run a job in a child to its end, whatever that is."""
        return self.wait(self.start(kind, arguments, **more))

    def backup_arguments(self, name: str, **more: Any) -> dict[str, Any]:
        """The arguments of a backup of this source as a version of the same name."""
        return {"source": f"file://{self.path(name)}", "name": name} | more

    def backed_up(self, name: str, **more: Any) -> str:
        """Back up a source in a child; the uid of the version."""
        outcome = self.run("backup", self.backup_arguments(name, **more))
        assert outcome.exit == 0, outcome
        return str(outcome.result["uid"])

    # -- the state, and changes of it, from this process

    def versions(self, *states: VersionState) -> list[Version]:
        """Versions in these states (all if none is given), oldest first."""
        with self.meta() as meta:
            found = meta.versions(VersionFilter(states=frozenset(states) or ALL))
            return sorted(found, key=lambda version: version.id)

    def valid(self) -> list[Version]:
        """All valid versions."""
        return self.versions(VersionState.VALID)

    def may_go(self, uid: str) -> None:
        """This version need not be valid any more: a job that removes it was started."""
        self._must_be_valid.discard(uid)

    def do_away_with(self) -> None:
        """Delete database and store, as if they had never been."""
        for path in self.home.glob("meta.sqlite*"):
            path.unlink()
        shutil.rmtree(self.store / "data", ignore_errors=True)
        self._must_be_valid.clear()
        self._meta = None

    def remove(self, version: Version) -> None:
        """Remove a version."""
        self.may_go(version.uid)
        with self.engine() as engine:
            remove(engine, get_version(engine.meta, version.uid))

    def let_leases_run_out(self) -> None:
        """Make the leases of all live jobs end at once, and the jobs expire."""
        with self.meta() as meta:
            with closing(self.database()) as database, database:
                database.execute("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1")
            meta.expire_jobs()

    def cleanup(self, *, full: bool = True, **options: Any) -> CleanupResult:
        """Run a cleanup in this process."""
        with self.engine(**options) as engine:
            return cleanup(engine, CleanupRequest(full=full))

    def database(self) -> sqlite3.Connection:
        """The database, past the meta backend."""
        return sqlite3.connect(self.home / "meta.sqlite", timeout=60)

    # -- what must hold

    def check_valid_versions(self) -> None:
        """Every version that must be valid is, and every valid version restores byte for byte."""
        with self.engine() as engine:
            valid = [v for v in engine.meta.versions(VersionFilter(states=ALL)) if v.state is VersionState.VALID]
            lost = self._must_be_valid - {version.uid for version in valid}
            assert not lost, f"versions {lost} were valid, and are not any more: {_states(engine.meta, lost)}"
            for version in valid:
                self._check_restore(engine, version)
                self._must_be_valid.add(version.uid)
            self.check_nothing_damaged(engine.meta)

    def check_nothing_damaged(self, meta: MetaBackend) -> None:
        """Nothing is marked damaged."""
        assert not list(meta.versions(VersionFilter(states=frozenset({VersionState.DAMAGED}))))
        assert column(self.home / "meta.sqlite", "SELECT count(*) FROM backy2_blobs WHERE state = 3") == [0]

    def check_exact(self) -> None:
        """The store holds exactly what versions refer to; see :mod:`tests.crash.audit`. For after a full cleanup."""
        check_exact(self.home / "meta.sqlite", self.store / "data")

    def objects(self) -> set[str]:
        """Uids of all blobs that are in the store as files."""
        return objects(self.store / "data")

    def settle(self) -> None:
        """Leases run out, one full cleanup runs, and everything must be exact and whole."""
        self.let_leases_run_out()
        self.cleanup()
        self.check_exact()
        self.check_valid_versions()

    def check_content(self, target: Path, name: str) -> None:
        """A restored file holds what the source of that name held."""
        assert target.read_bytes() == self._images[name]

    def _check_restore(self, engine: Engine, version: Version) -> None:
        target = self.folder / f"check-{self._number()}"
        result = restore(engine, RestoreRequest(VersionUid(version.uid), f"file://{target}", sparse=True))
        assert result.damaged_blocks == 0, (version, result.damage)
        self.check_content(target, version.name)
        target.unlink()
        self.checked += 1

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def _states(meta: MetaBackend, uids: set[str]) -> dict[str, str]:
    return {
        version.uid: version.state.name for version in meta.versions(VersionFilter(states=ALL)) if version.uid in uids
    }
