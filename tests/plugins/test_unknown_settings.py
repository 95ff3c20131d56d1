"""A setting that a plugin does not know is refused with file, section, key and the nearest one that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conftest import Program

pytestmark = pytest.mark.xdist_group("plugins")

CONFIG = """
[backy2]
transforms = zstd

[data_backend]
type = file
path = {folder}/store
{data_backend}

[meta_backend]
type = sql
engine = sqlite:///{folder}/db
{meta_backend}

[source:file]
{source}

[transform:zstd]
{transform}

[listener:diary]
file = {folder}/diary
{listener}

{formatter}
"""
KEYS = {
    "data_backend": (
        "flush_methd = fsync",
        "section [data_backend], key flush_methd is not known. Did you mean flush_method?",
    ),
    "meta_backend": (
        "busy_time = 5s",
        "section [meta_backend], key busy_time is not known. Did you mean busy_timeout?",
    ),
    "source": (
        "simultaneous_read = 2",
        "section [source:file], key simultaneous_read is not known. Did you mean simultaneous_reads?",
    ),
    "transform": ("levle = 3", "section [transform:zstd], key levle is not known. Did you mean level?"),
    "listener": ("fails = x", "section [listener:diary], key fails is not known. Did you mean fails_at?"),
    "formatter": ("[formatter:json]\nindent = 2", "section [formatter:json]: formatters have no settings"),
}


@pytest.mark.parametrize("role", KEYS)
def test_of_every_role(good: Path, tmp_path: Path, image: Path, role: str) -> None:
    program = Program(tmp_path, [good], CONFIG.format(folder=tmp_path, **dict.fromkeys(KEYS, "")))
    program.run("initdb")
    text, message = KEYS[role]
    program.config = CONFIG.format(folder=tmp_path, **{**dict.fromkeys(KEYS, ""), role: text})
    done = program.run("backup", f"file://{image}", "vm", code=10)
    assert f"{tmp_path}/plugins.cfg, {message}" in done.stderr
