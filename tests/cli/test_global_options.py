"""What stands before the verb, and what happens without one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core import __version__
from tests.cli.conftest import Backy

COMMANDS = Path(__file__).parents[2] / "backy2_core" / "cli" / "commands"
MODULES = [module.stem for module in COMMANDS.glob("*.py") if module.stem != "__init__"]
VERBS = ["help", *sorted(re.sub("^(key|plugins)-", r"\1 ", stem.rstrip("_").replace("_", "-")) for stem in MODULES)]
OF_THE_ORIGINAL = {
    "initdb", "backup", "restore", "protect", "unprotect", "rm", "scrub", "cleanup", "ls", "stats", "diff-meta", "du",
    "add-tag", "remove-tag", "expire", "due", "sla",
}  # fmt: skip


def test_without_a_verb_the_help_goes_to_stderr_and_the_exit_code_is_2(backy: Backy) -> None:
    ended = backy.run(stdin=subprocess.DEVNULL)
    assert (ended.code, ended.out) == (2, "")
    assert "usage: backy2" in ended.err
    assert "restore" in ended.err


def test_the_help_names_every_verb_with_a_summary(backy: Backy) -> None:
    assert set(VERBS) >= OF_THE_ORIGINAL
    lines = [line.strip() for line in backy.ok("--help").splitlines()]
    for verb in VERBS:
        summary = [line.removeprefix(verb).strip() for line in lines if line.startswith(f"{verb}  ")]
        assert summary, verb
        assert summary[0][0].isupper(), verb


def test_the_version_is_the_number_alone(backy: Backy) -> None:
    assert backy.ok("--version") == backy.ok("-V") == f"{__version__}\n"


@pytest.mark.parametrize(("typed", "meant"), [("lss", "ls"), ("restor", "restore"), ("plugins", "plugins list")])
def test_an_unknown_verb_is_a_usage_error_that_names_near_ones(backy: Backy, typed: str, meant: str) -> None:
    ended = backy.call(typed)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"ERROR: There is no command '{typed}'. Did you mean: ")
    assert meant in ended.err
    assert len(ended.err.splitlines()) == 1


def test_an_unknown_verb_like_no_other_is_pointed_to_the_help(backy: Backy) -> None:
    assert "`backy2 --help`" in backy.call("qqqq").err


def test_a_verb_is_not_taken_for_its_beginning(backy: Backy) -> None:
    assert backy.call("stat").code == 2


def test_global_options_are_not_taken_behind_the_verb(backy: Backy) -> None:
    ended = backy.call("ls", "-m")
    assert ended.code == 2
    assert "-m" in ended.err


def test_options_of_the_verb_are_not_taken_for_global_ones(backy: Backy) -> None:
    backy.backup("-s", "one")
    assert backy.ok("-m", "ls", "-c", "snapshot_name") == "type|snapshot_name\nversion|one\n"


def test_a_configuration_may_be_named_by_the_original_long_option(backy: Backy) -> None:
    for option in ("-c", "--config", "--configfile"):
        ended = backy.call(option, str(backy.folder / "missing.cfg"), "ls")
        assert ended.code == 10
        assert "missing.cfg" in ended.err


def test_help_with_a_verb_shows_what_the_verb_shows_itself(backy: Backy) -> None:
    assert backy.ok("help", "plugins", "list") == backy.ok("plugins", "list", "--help")
    assert backy.ok("help") == backy.ok("--help")
    assert backy.call("help", "nothing").code == 2


def modules_after(backy: Backy, *argv: str) -> set[str]:
    """The modules that a process has imported when the command is over."""
    report = (
        "import sys; from backy2_core.cli.main import main; main(sys.argv[1:]); sys.stderr.write(' '.join(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", report, *argv], capture_output=True, text=True, check=True)
    return set(ended.stderr.split())


def test_the_help_imports_nothing_heavy(backy: Backy) -> None:
    heavy = {"sqlalchemy", "alembic", "blake3", "boto3", "rados", "cmd2", "yaml", "prettytable", "setproctitle"}
    assert not modules_after(backy, "--help") & (heavy | {"backy2_core.config", "backy2_core.engine", "pluggy"})


def test_a_list_imports_only_what_it_shows(backy: Backy) -> None:
    backy.ok("ls")
    heavy = {"alembic", "blake3", "boto3", "rados", "cmd2", "yaml", "prettytable", "setproctitle"}
    assert not modules_after(backy, "ls", "-f", "json") & heavy


def test_no_verb_never_starts_an_interactive_mode(backy: Backy) -> None:
    assert "cmd2" not in modules_after(backy, "-q")


def test_the_program_runs_from_any_folder(backy: Backy, tmp_path: Path) -> None:
    assert subprocess.run(backy.command("--version"), cwd="/", capture_output=True, check=True).stdout
