"""A plugin of each role, from a stranger's distribution, is found, listed and used."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.plugins.conftest import Program

pytestmark = pytest.mark.xdist_group("plugins")

CONFIG = """
[backy2]
block_size = 64k
transforms = zlib

[data_backend]
type = one_file
file = {folder}/store.sqlite

[meta_backend]
type = audited
engine = sqlite:///{folder}/backy2.sqlite
audit = {folder}/audit

[transform:zlib]
level = 9

[listener:diary]
file = {folder}/diary
"""


@pytest.fixture
def program(good: Path, tmp_path: Path) -> Program:
    """The program with every role filled by a stranger."""
    return Program(tmp_path, [good], CONFIG.format(folder=tmp_path))


def test_each_is_listed_with_its_distribution_and_version(program: Program) -> None:
    strangers = [row for row in program.rows("plugins", "list") if row["distribution"] != "backy2"]
    listed = {(row["group"], row["name"]): (row["distribution"], row["version"], row["api"]) for row in strangers}
    assert listed == {
        ("backy2.sources", "gz"): ("stranger-source", "1.2.3", 1),
        ("backy2.data_backends", "one_file"): ("stranger-data-backend", "0.1", 1),
        ("backy2.meta_backends", "audited"): ("stranger-meta-backend", "0.2", 1),
        ("backy2.transforms", "zlib"): ("stranger-transform", "0.3", 1),
        ("backy2.listeners", "diary"): ("stranger-listener", "0.5", 1),
        ("backy2.formatters", "markdown"): ("stranger-formatter", "0.4", 1),
        ("backy2.commands", "hello_world"): ("stranger-command", "0.6", ""),
        ("backy2.commands", "oldest"): ("stranger-command", "0.6", ""),
        ("backy2.commands", "oldest_one"): ("stranger-command", "0.6", ""),
        ("backy2.commands", "oldest_stored"): ("stranger-command", "0.6", ""),
    }
    assert {(row["state"], row["reason"]) for row in strangers} == {("ok", "")}


def test_our_own_are_listed_in_the_same_way(program: Program) -> None:
    own = [row for row in program.rows("plugins", "list") if row["distribution"] == "backy2"]
    assert {row["state"] for row in own} == {"ok"}
    assert {("backy2.sources", "file"), ("backy2.meta_backends", "sql")} <= {(row["group"], row["name"]) for row in own}


def test_a_backup_scrub_and_restore_through_strangers_only(program: Program, image: Path) -> None:
    folder = program.folder
    packed, target = folder / "image.gz", folder / "restored.gz"
    packed.write_bytes(gzip.compress(image.read_bytes()))
    program.run("initdb")
    program.run("backup", f"gz://{packed}", "vm")
    program.run("scrub", "-s", f"gz://{packed}", "latest:vm")
    program.run("restore", "latest:vm", f"gz://{target}")
    assert gzip.decompress(target.read_bytes()) == image.read_bytes()

    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        sizes = [row[0] for row in store.execute("SELECT length(data) FROM blobs")]
    assert len(sizes) > 10
    assert sum(sizes) < 70_000 + 900_000 / 2, "the transform was not used"
    audit = dict(line.split() for line in (folder / "audit").read_text().splitlines())
    assert {"create_version", "finish_version", "add_blobs", "read_map"} <= audit.keys()
    diary = (folder / "diary").read_text().split()
    assert {"JobBegan", "BackupFinished", "ScrubFinished", "RestoreFinished", "closed"} <= set(diary)


def test_a_version_is_restored_by_the_chain_it_was_stored_with(program: Program, image: Path) -> None:
    program.run("initdb")
    program.run("backup", f"file://{image}", "vm")
    program.config = program.config.replace("transforms = zlib", "")
    program.run("restore", "latest:vm", f"file://{program.folder}/restored")
    assert (program.folder / "restored").read_bytes() == image.read_bytes()


def test_without_its_transform_a_version_cannot_be_restored_and_the_message_names_it(
    program: Program, image: Path
) -> None:
    program.run("initdb")
    program.run("backup", f"file://{image}", "vm")
    program.config = program.config.replace("transforms = zlib", "")
    program.variables["BACKY2_PLUGINS"] = "stranger-data-backend,stranger-meta-backend,stranger-listener"
    done = program.run("restore", "latest:vm", f"file://{program.folder}/restored", code=11)
    assert "'zlib'" in done.stderr
    assert "stranger-transform" in done.stderr


def test_a_list_comes_in_a_strangers_format(program: Program, image: Path) -> None:
    program.run("initdb")
    program.run("backup", f"file://{image}", "vm")
    lines = program.run("ls", "-f", "markdown", "-c", "name", "-c", "state").stdout.splitlines()
    assert lines == ["| name | state |", "| --- | --- |", "| vm | valid |"]


def test_a_strangers_command_runs_and_is_in_the_help(program: Program) -> None:
    assert program.run("hello", "world", "you").stdout == "hello you\n"
    assert "hello world" in program.run("--help").stdout
    assert "Greet the world" in program.run("hello", "world", "--help").stdout


def test_a_strangers_commands_work_on_the_installation(program: Program, image: Path) -> None:
    program.run("initdb")
    for name in ("second", "first"):
        program.run("backup", f"file://{image}", name, "-t", "x,y")
    assert [(row["name"], row["tags"]) for row in program.rows("oldest")] == [
        ("second", ["x", "y"]),
        ("first", ["x", "y"]),
    ]
    assert program.run("oldest", "first", "-f", "markdown", "-c", "name").stdout.endswith("| first |\n")
    record = json.loads(program.run("oldest", "one", "second", "-f", "json").stdout)
    (version,) = [row for row in program.rows("ls") if row["name"] == "second"]
    assert record == {"uid": version["uid"], "date": version["date"]}
    assert " 4 MiB " in program.run("-r", "oldest").stdout
    assert "no version of nobody" in program.run("oldest", "one", "nobody", code=16).stderr
    assert str(program.folder / "store.sqlite") in program.run("oldest", "stored").stdout
    help_text = program.run("oldest", "--help").stdout
    assert "backy2 oldest vm1 -f json" in help_text
    assert "  15 " in help_text


def test_a_listener_that_fails_is_logged_with_its_distribution_and_changes_nothing(
    program: Program, image: Path
) -> None:
    program.config += "fails_at = BackupFinished\n"
    program.run("initdb")
    done = program.run("backup", f"file://{image}", "vm")
    assert "stranger-listener 0.5" in done.stderr
    assert "the diary cannot stand BackupFinished" in done.stderr
    assert program.rows("ls")[0]["state"] == "valid"


def test_a_listener_without_its_required_setting_is_left_out_with_a_warning(program: Program, image: Path) -> None:
    program.config = program.config.partition("[listener:diary]")[0]
    program.run("initdb")
    done = program.run("backup", f"file://{image}", "vm")
    assert "listener diary is left out" in done.stderr
    assert "key file is missing" in done.stderr


def test_a_mistake_in_a_listeners_section_is_an_error(program: Program, image: Path) -> None:
    program.run("initdb")
    program.config += "fiel = x\n"
    done = program.run("backup", f"file://{image}", "vm", code=10)
    assert "section [listener:diary], key fiel is not known. Did you mean file?" in done.stderr


def test_a_disabled_listener_is_told_nothing(program: Program, image: Path) -> None:
    program.config = program.config.replace("[backy2]", "[backy2]\ndisabled_listeners = diary")
    program.run("initdb")
    program.run("backup", f"file://{image}", "vm")
    assert not (program.folder / "diary").exists()


def test_the_environment_can_hide_a_distribution(program: Program) -> None:
    program.variables["BACKY2_PLUGINS"] = "Stranger_Command"
    rows = {row["name"]: row for row in program.rows("plugins", "list")}
    assert rows["gz"]["state"] == "disabled"
    assert "$BACKY2_PLUGINS" in rows["gz"]["reason"]
    assert {rows["file"]["state"], rows["hello_world"]["state"]} == {"ok"}
    done = program.run("ls", code=11)
    assert (
        "'audited' of group backy2.meta_backends (distribution stranger-meta-backend 0.2) is switched off"
        in done.stderr
    )
    assert program.run("hello", "world", "you").stdout == "hello you\n"
    program.variables["BACKY2_PLUGINS"] = ""
    program.run("hello", "world", "you", code=2)
