"""The commands of README and tutorial do what the pages say, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.shell import Example, examples, run

TUTORIAL = "docs/tutorial.md"


def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    for example in examples(TUTORIAL):
        run(example, tmp_path)


def test_the_first_backup_of_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    run(Example("head -c 20M /dev/urandom > disk.img", 0, ()), tmp_path)
    [example] = examples("README.md")
    run(example, tmp_path)


def test_the_tutorial_shows_every_step_of_a_backups_life() -> None:
    scripts = "".join(example.script for example in examples(TUTORIAL))
    for verb in ("initdb", "backup", "ls", "restore", "scrub", "protect", "rm", "cleanup", "jobs"):
        assert f"backy2 {verb} " in scripts or f"backy2 {verb}\n" in scripts, verb
    assert len([example for example in examples(TUTORIAL) if example.prints]) > 10


@pytest.mark.parametrize(
    "example",
    [
        Example("exit 3", 0, ()),
        Example("true", 3, ()),
        Example("echo one two", 0, ("two one",)),
        Example("echo one; echo two", 0, ("two", "one")),
        Example("false; true", 0, ()),
    ],
)
def test_a_page_that_says_something_else_is_found(tmp_path: Path, example: Example) -> None:
    with pytest.raises(AssertionError):
        run(example, tmp_path)
