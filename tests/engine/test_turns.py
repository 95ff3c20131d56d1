"""Backups of one name take turns, on whatever hosts they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core.engine.backup import backup
from backy2_core.engine.context import Engine
from backy2_core.engine.requests import BackupRequest
from backy2_core.engine.turns import in_turn
from backy2_core.errors import RefusedError
from backy2_core.model.job import Job, JobKind, JobState, NewJob
from backy2_core.model.version import VersionFilter, VersionState
from tests.support.engines import folder_engine


@pytest.fixture
def request_of_vm(tmp_path: Path) -> BackupRequest:
    (tmp_path / "image").write_bytes(b"x" * 8192)
    return BackupRequest(f"file://{tmp_path / 'image'}", "vm")


def other_job(engine: Engine, host: str = "elsewhere", pid: int = 1, name: str = "vm") -> Job:
    new = NewJob(JobKind.BACKUP, host, pid, f"x as {name}", 60.0, alone=f"backup {name}")
    return engine.meta.begin_job(new)


def valid_versions(engine: Engine) -> int:
    return len(list(engine.meta.versions(VersionFilter(states=frozenset({VersionState.VALID})))))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_backup_is_refused_with_the_number_and_host_of_the_first(tmp_path, request_of_vm):
    with folder_engine(tmp_path, same_name="refuse", host="here") as engine:
        job = other_job(engine)
        with pytest.raises(RefusedError, match=rf"job {job.id} is at it already: x as vm \(process 1 on elsewhere\)"):
            backup(engine, request_of_vm)
        assert valid_versions(engine) == 0
        engine.meta.end_job(job.id)
        backup(engine, request_of_vm)


def test_a_second_backup_waits_until_the_first_ended(tmp_path, request_of_vm, caplog):
    with folder_engine(tmp_path, same_name="wait", host="here") as engine:
        job = other_job(engine)
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                engine.meta.end_job(job.id)

        def work() -> str:
            engine.meta.end_job(other_job(engine).id)
            return "done"

        with caplog.at_level("INFO"):
            assert in_turn(engine, work, sleep) == "done"
        assert len(waits) == 3
        assert caplog.text.count("Waiting: ") == 1


def test_one_that_died_on_this_host_is_not_waited_for(tmp_path, request_of_vm, caplog):
    with folder_engine(tmp_path, same_name="wait", host="here") as engine:
        job = other_job(engine, "here", dead_pid())
        with caplog.at_level("INFO"):
            backup(engine, request_of_vm)
        assert f"Job {job.id} died on this host" in caplog.text
        assert valid_versions(engine) == 1


@pytest.mark.parametrize("pid", ["dead elsewhere", "alive here"])
def test_one_that_may_be_alive_keeps_its_turn(pid, tmp_path, request_of_vm):
    with folder_engine(tmp_path, same_name="refuse", host="here") as engine:
        if pid == "alive here":
            other_job(engine, "here", 1)
        else:
            other_job(engine, "elsewhere", dead_pid())
        with pytest.raises(RefusedError):
            backup(engine, request_of_vm)


@pytest.mark.parametrize(("policy", "name"), [("side_by_side", "vm"), ("refuse", "VM"), ("wait", "vm2")])
def test_others_do_not_wait(policy, name, tmp_path, request_of_vm):
    with folder_engine(tmp_path, same_name=policy, host="here") as engine:
        other_job(engine, name=name)
        backup(engine, request_of_vm)
        assert valid_versions(engine) == 1


def test_a_backup_has_its_turn_while_it_runs_and_no_longer(tmp_path, request_of_vm):
    seen: list[str] = []
    with folder_engine(tmp_path, same_name="refuse", host="here") as engine:
        open_source = engine.open_source

        def opened(url: str):
            source = open_source(url)
            allocated = source.allocated

            def told():
                seen.extend(job.alone for job in engine.meta.jobs({JobState.LIVE}))
                return allocated()

            source.allocated = told
            return source

        object.__setattr__(engine, "open_source", opened)
        backup(engine, request_of_vm)
        assert seen == ["backup vm"]
        assert engine.meta.jobs({JobState.LIVE}) == []


def test_a_refusal_of_another_kind_is_not_waited_for(tmp_path):
    def work() -> None:
        raise RefusedError("protected")

    with folder_engine(tmp_path, same_name="wait") as engine, pytest.raises(RefusedError, match="protected"):
        in_turn(engine, work, lambda seconds: pytest.fail("waited"))
