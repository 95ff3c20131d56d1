"""Processes on several hosts side by side: started, killed, frozen, and each end looked at."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.job import Job, JobState
from tests.hosts.site import Site
from tests.hosts.work import Task, Work

PATIENCE_S = 180.0
KILLED = -9
_PAUSE_S = 0.05


@dataclass(eq=False)
class Running:
    """A process at work."""

    task: Task
    process: subprocess.Popen[bytes]
    output: Path
    began: float

    @property
    def who(self) -> tuple[str, int]:
        """Host and process id, as in the list of jobs."""
        return self.task.host, self.process.pid


class Fleet:
    """``may_end_with``: exit codes that are fine for every task. Use it as a context manager: none is left running."""

    def __init__(self, site: Site, work: Work, meta: MetaBackend, may_end_with: frozenset[int] = frozenset()) -> None:
        self.ends: Counter[tuple[str, int]] = Counter()
        self.running: list[Running] = []
        self._site = site
        self._work = work
        self._meta = meta
        self._may_end_with = may_end_with
        self.doomed: set[Running] = set()
        """Those that were killed."""
        self._number = 0

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.running:
            each.process.kill()
            each.process.wait()

    def start(self, task: Task, kind: str = "usual") -> Running:
        """Start a process; ``kind`` is that of its configuration."""
        self._number += 1
        output = self._site.folder / task.host / f"output-{self._number}"
        with output.open("wb") as file:
            command = self._site.command(task.host, *task.words, kind=kind)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.running.append(Running(task, process, output, time.monotonic()))
        return self.running[-1]

    def fill(self, slots: int) -> None:
        """Have so many processes at work."""
        while len(self.running) < slots:
            self.start(self._work.choose())

    def kill(self, one: Running) -> None:
        """Kill it with SIGKILL; its end is not looked at before :meth:`look`."""
        self.doomed.add(one)
        one.process.kill()

    def look(self) -> list[Running]:
        """Look at those that ended, after a short pause, and return them."""
        time.sleep(_PAUSE_S)
        ended = [each for each in self.running if each.process.poll() is not None]
        for each in ended:
            self.running.remove(each)
            self._judge(each)
        for each in self.running:
            if time.monotonic() - each.began > PATIENCE_S:
                # It then says what each of its threads is at.
                each.process.send_signal(signal.SIGABRT)
                each.process.wait()
                raise AssertionError(f"{each.task} does not end: {each.output.read_text(errors='replace')}")
        return ended

    def drain(self) -> None:
        """Wait until all ended."""
        while self.running:
            self.look()

    def job_of(self, one: Running) -> Job | None:
        """The newest job of that process, if it is live."""
        jobs = self._meta.jobs({JobState.LIVE})
        return next((job for job in jobs if (job.host, job.pid) == one.who), None)

    def wait_for_job(self, one: Running) -> Job:
        """Wait until that process has a job."""
        while one.process.poll() is None:
            if job := self.job_of(one):
                return job
            time.sleep(0.01)
        raise AssertionError(f"{one.task} had no job: {one.output.read_text(errors='replace')}")

    def _judge(self, one: Running) -> None:
        code = one.process.returncode
        self.ends[one.task.kind, code] += 1
        said = one.output.read_text(errors="replace")
        assert "Traceback" not in said, f"{one.task}: {said}"
        allowed = one.task.may_end_with | self._may_end_with | ({KILLED} if one in self.doomed else set())
        assert code in allowed, f"{one.task} on {one.who} ended with {code}: {said}"
        if code == 0:
            one.task.check()
        one.output.unlink()


def report(ends: Counter[tuple[str, int]]) -> str:
    """How each kind of task ended, as a table."""
    codes = sorted({code for _, code in ends})
    lines = [f"{'':20}" + "".join(f"{'killed' if code == KILLED else code:>8}" for code in codes)]
    for kind in sorted({kind for kind, _ in ends}):
        lines.append(f"{kind:20}" + "".join(f"{ends[kind, code] or '-':>8}" for code in codes))
    return "\n".join(lines)
