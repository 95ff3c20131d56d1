"""What a host is called: as the system says, or as its configuration says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "image").write_bytes(b"x" * 8192)
    path = tmp_path / "backy2.cfg"
    path.write_text(
        f"[data_backend]\npath = {tmp_path}/data\n[meta_backend]\nengine = sqlite:///{tmp_path}/meta.sqlite\n"
        f"[backy2]\nlogfile = {tmp_path}/log\n"
    )
    return path


def backy2(config: Path, *words: str, before: tuple[str, ...] = ()) -> str:
    command = [*before, sys.executable, "-m", "backy2_core.cli.main", "-c", str(config), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def hosts(config: Path) -> set[str]:
    """Where the jobs were."""
    return {job["host"] for job in json.loads(backy2(config, "jobs", "--all", "--format", "json"))}


def test_a_job_is_shown_under_the_name_that_the_system_has(config: Path) -> None:
    backy2(config, "initdb")
    backy2(config, "backup", f"file://{config.parent}/image", "vm")
    assert hosts(config) == {socket.gethostname()}


def test_the_configuration_can_give_another_name_for_jobs_of_every_kind(config: Path) -> None:
    backy2(config, "key", "new", str(config.parent / "main.key"))
    section = f"[key:main]\nsecret = %(file:{config.parent}/main.key)s\n"
    config.write_text(f"{config.read_text()}host_name = vault-7\ntransforms = aes_gcm\n{section}")
    backy2(config, "initdb")
    backy2(config, "backup", f"file://{config.parent}/image", "vm")
    backy2(config, "cleanup")
    assert hosts(config) == {"vault-7"}


def test_a_system_that_is_called_otherwise_is_another_host(config: Path) -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("giving a process a host name of its own takes root and the program unshare")
    backy2(config, "initdb")
    for name in ("alpha", "beta"):
        alone = ("unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh")
        backy2(config, "backup", f"file://{config.parent}/image", "vm", before=alone)
    assert hosts(config) == {"alpha", "beta"}
