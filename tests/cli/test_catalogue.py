"""Finding verbs: lazily, exactly, and with a word about broken ones."""

from __future__ import annotations

import io
from importlib.metadata import EntryPoint

import pytest

from backy2_core.cli.catalogue import Catalogue
from backy2_core.cli.help import write_overview
from backy2_core.cli.options import build_parser
from backy2_core.errors import PluginError, UsageError
from backy2_core.plugins.discovery import COMMANDS, PluginEntry


def entry(name: str, value: str, distribution: str = "stranger", *, disabled: bool = False) -> PluginEntry:
    return PluginEntry(COMMANDS, name, value, distribution, "1.0", disabled, EntryPoint(name, value, COMMANDS))


LS = entry("ls", "backy2_core.cli.commands.ls:Ls", "backy2")
LIST = entry("plugins_list", "backy2_core.cli.commands.plugins_list:PluginsList", "backy2")
BROKEN = entry("broken", "no.such.module:Verb")
NO_VERB = entry("noverb", "os.path:join")


def test_the_longest_name_wins_and_the_rest_are_arguments() -> None:
    catalogue = Catalogue([LS, LIST])
    verb, name, rest = catalogue.find_command(["plugins", "list", "-f", "json"])
    assert (verb.__name__, name, rest) == ("PluginsList", "plugins list", ["-f", "json"])
    assert catalogue.find_command(["ls", "plugins", "list"])[1:] == ("ls", ["plugins", "list"])


@pytest.mark.parametrize("argv", [["l"], ["plugins"], ["plugins", "-f", "list"], ["pl", "li"], ["LS"]])
def test_only_a_whole_name_is_found(argv: list[str]) -> None:
    with pytest.raises(UsageError, match="There is no command"):
        Catalogue([LS, LIST]).find_command(argv)


def test_a_verb_that_two_distributions_claim_is_refused_with_both_names() -> None:
    with pytest.raises(PluginError, match=r"backy2 1\.0 and stranger 1\.0"):
        Catalogue([LS, entry("ls", "os:path")]).find_command(["ls"])


def test_a_broken_verb_hurts_only_who_runs_it() -> None:
    catalogue = Catalogue([LS, BROKEN])
    assert catalogue.find_command(["ls"])
    with pytest.raises(PluginError, match=r"'broken' of distribution stranger 1\.0 .*ModuleNotFoundError"):
        catalogue.find_command(["broken"])


def test_what_is_no_verb_is_refused() -> None:
    with pytest.raises(PluginError, match="no subclass"):
        Catalogue([NO_VERB]).find_command(["noverb"])


def test_a_disabled_distribution_brings_no_verbs() -> None:
    assert not Catalogue([entry("ls", LS.value, disabled=True)]).commands


def test_the_overview_lists_broken_verbs_too_and_says_whose_a_verb_is() -> None:
    out = io.StringIO()
    catalogue = Catalogue([LS, BROKEN, entry("theirs", "backy2_core.cli.commands.jobs:Jobs")])
    write_overview(build_parser("backy2", "", lambda: None), catalogue, out)
    text = out.getvalue()
    assert "  ls      List versions\n" in text
    assert "  broken  (broken) The command 'broken' of distribution stranger 1.0" in text
    assert "[stranger]\n" in text
