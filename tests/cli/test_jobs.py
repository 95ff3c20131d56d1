"""Verb ``jobs``: all hosts, what runs, and what died."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core.model.job import JobKind, NewJob
from tests.support.engines import open_database


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose database knows a live job, one that died just now, one that died long ago, and one that ended."""
    with open_database(tmp_path) as meta:
        for host in ("alive", "died", "died-long-ago", "ended"):
            job = meta.begin_job(NewJob(JobKind.BACKUP, host, 7, f"backup on {host}", 600.0))
            if host == "ended":
                meta.end_job(job.id)
    day_us = 86_400_000_000
    with sqlite3.connect(tmp_path / "meta.sqlite") as database:
        database.execute("UPDATE backy2_jobs SET lease_until = renewed - 1 WHERE host LIKE 'died%'")
        database.execute(f"UPDATE backy2_jobs SET renewed = renewed - {day_us} WHERE host = 'died-long-ago'")
    path = tmp_path / "backy2.cfg"
    path.write_text(
        f"[meta_backend]\nengine = sqlite:///{tmp_path}/meta.sqlite\n[data_backend]\npath = {tmp_path}/data\n"
    )
    return path


def jobs(config: Path, *options: str) -> dict[str, str]:
    command = [sys.executable, "-m", "backy2_core.cli.main", "-c", config, "jobs", "--format", "json", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {row["host"]: row["state"] for row in json.loads(done.stdout)}


def test_what_runs_and_what_died_in_the_last_day_is_shown_on_every_host(config):
    assert jobs(config) == {"alive": "live", "died": "expired"}


def test_all_are_shown_when_asked_for(config):
    expected = {"alive": "live", "died": "expired", "died-long-ago": "expired", "ended": "ended"}
    assert jobs(config, "--all") == expected
