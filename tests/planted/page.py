"""The page of promises and planted faults: ``python -m tests.planted.page`` writes it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.house.tree import ROOT
from tests.planted.fault import plain
from tests.planted.no_promise import NO_PROMISE
from tests.planted.roles import MODULES, faults_of
from tests.planted.run import caught

PAGE = "docs/plugins/promises.md"
INTRO = """\
<!-- Made by `python -m tests.planted.page`; change the faults, not this page. -->

# Promises, and what breaks them

The [conformance suites](README.md#conformance-suites) are worth as much as they find. So for each promise of a contract a
broken implementation is planted in `tests/planted`, and a test shows that the public suite finds it: the third column names
one of the tests that do. What a contract says beside that, such as what a caller has to do, stands below each table.
"""


def text() -> str:
    """The page."""
    return "\n".join([INTRO, *_counts(), *(line for role in MODULES for line in _section(role))]) + "\n"


def _counts() -> Iterator[str]:
    yield "| role | promises | broken implementations |"
    yield "|---|---|---|"
    for role in MODULES:
        faults = faults_of(role)
        yield f"| {_title(role)} | {len({plain(fault.promise) for fault in faults.planted})} | {len(faults.kinds())} |"


def _section(role: str) -> Iterator[str]:
    found = caught()[role]
    yield from ("", f"## {_title(role).capitalize()}", "")
    yield "| promise | broken implementation | found by |"
    yield "|---|---|---|"
    for fault in faults_of(role).planted:
        wrong = f"`{fault.name}`: {_cell(fault.wrong)}"
        yield f"| {_cell(plain(fault.promise))} | {wrong} | {' '.join(f'`{_cell(test)}`' for test in found[fault.name][:1])} |"
    yield from ("", "No fault is planted against:", "")
    for words, reason in NO_PROMISE[role].items():
        yield f"- {_cell(words)} ({reason})"


def _title(role: str) -> str:
    return role.replace("_", " ")


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    (ROOT / PAGE).write_text(text(), encoding="utf-8")
