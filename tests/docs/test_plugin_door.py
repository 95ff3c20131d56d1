"""The door for plugins: every hook and every name is documented, the pages are those of the code, and nothing is lacking."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from backy2_core import api, api_commands
from backy2_core.contracts import hookspecs
from backy2_core.plugins.discovery import PluginEntry
from docs import plugin_pages
from tests.docs import pages
from tests.house.tree import ROOT

HOOKS = "docs/plugins/hooks.md"
NAMES = "docs/plugins/api.md"
CHANGES = "docs/plugins/api-changes.md"


@pytest.mark.parametrize("name", sorted(plugin_pages.pages()))
def test_the_committed_page_is_the_one_that_the_code_makes(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == plugin_pages.pages()[name], f"docs/{name} is out of date: run `make docs`"


def test_every_hook_has_a_section_with_its_exact_signature() -> None:
    sections = pages.sections(HOOKS, 2)
    hooks = [
        name for name, thing in vars(hookspecs).items() if name.startswith("backy2_") and inspect.isfunction(thing)
    ]
    assert list(sections) == hooks
    for hook in hooks:
        written = re.search(r"```python\n(.*?)\n```", sections[hook], re.DOTALL)
        assert written is not None
        scope: dict[str, Any] = {}
        exec(f"from __future__ import annotations\n{written[1]}", scope)
        assert inspect.signature(scope[hook]) == inspect.signature(getattr(hookspecs, hook))


@pytest.mark.parametrize("word", ["**When:**", "**Thread:**", "**An exception**"])
def test_every_hook_says_when_in_which_thread_and_what_an_exception_does(word: str) -> None:
    sections = pages.sections(HOOKS, 2)
    silent = [hook for hook, text in sections.items() if " ".join(text.split()).count(word) != 1]
    assert silent == []


def test_every_name_of_the_door_has_its_line() -> None:
    rows = [row for table in pages.tables(pages.text_of(NAMES)) for row in table[1:]]
    assert sorted(pages.named(row[0])[0] for row in rows) == sorted(api.__all__)
    assert [row[0] for row in rows if len(row[1].strip()) < 10] == []
    provisional = {pages.named(row[0])[0] for row in rows if row[1].endswith("*Provisional.*")}
    assert provisional == api.PROVISIONAL


def test_the_door_names_all_that_it_has_and_nothing_else() -> None:
    public = {name for name, thing in vars(api).items() if not name.startswith("_") and not inspect.ismodule(thing)}
    assert public - {"annotations"} == set(api.__all__)
    assert len(set(api.__all__)) == len(api.__all__)
    assert set(api_commands.__all__) == {name for name in vars(api_commands) if name[0].isupper()}
    assert set(api_commands.__all__) <= set(re.findall(r"\w+", api_commands.__doc__ or ""))


def test_provisional_names_are_names_of_the_door_and_say_so() -> None:
    assert set(api.__all__) >= api.PROVISIONAL
    assert "MetaBackend" in api.PROVISIONAL
    assert "provisional until 1.0" in (api.MetaBackend.__doc__ or "")


def test_the_changes_of_every_version_are_written_down() -> None:
    versions = [title for title in pages.sections(CHANGES, 2) if title.startswith("Version ")]
    assert versions == [f"Version {number}" for number in range(api.API_VERSION, 0, -1)]
    assert f"API age {api.API_AGE}." in pages.sections(CHANGES, 2)[versions[0]]


def test_every_type_that_the_door_speaks_of_is_in_the_door() -> None:
    lacking = {
        f"{spoken.__qualname__}, of {place}"
        for name in api.__all__
        for place, hints in _hints(name, getattr(api, name))
        for hint in hints
        for spoken in _classes_of_ours(hint)
        if getattr(api, spoken.__name__, None) is not spoken
    }
    assert lacking == set()


def test_the_check_finds_what_is_lacking() -> None:
    hints = [hint for _, found in _hints("Chain", _OfAnotherHouse) for hint in found]
    assert {spoken.__name__ for hint in hints for spoken in _classes_of_ours(hint)} == {"PluginEntry", "Version"}


class _OfAnotherHouse:
    def entries(self, version: api.Version | None) -> dict[str, list[PluginEntry]]:
        raise NotImplementedError


def _hints(name: str, thing: Any) -> Iterator[tuple[str, list[Any]]]:
    """What a name's fields, methods and arguments are annotated with."""
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) or issubclass(thing, tuple):
            yield name, list(typing.get_type_hints(thing).values())
        for method, found in vars(thing).items():
            function = found.fget if isinstance(found, property) else found
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"{name}.{method}", list(typing.get_type_hints(function).values())
    elif inspect.isfunction(thing):
        yield name, list(typing.get_type_hints(thing).values())
    elif isinstance(thing, types.UnionType):
        yield name, list(typing.get_args(thing))


def _classes_of_ours(hint: Any) -> Iterator[type]:
    for part in typing.get_args(hint):
        yield from _classes_of_ours(part)
    if inspect.isclass(hint) and hint.__module__.startswith("backy2_core."):
        yield hint
