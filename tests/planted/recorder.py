"""A plugin for pytest that writes down which tests of which class failed and with what, and gives a class up after enough.

Of each class those tests come first that call a method that the planted fault breaks: they find it soonest.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
from collections import Counter
from collections.abc import Sequence

import pytest

RESULTS = "BACKY2_PLANTED_RESULTS"
ENOUGH = "BACKY2_PLANTED_ENOUGH"
"""After so many failures the rest of a class is left out."""
SELECTED = "BACKY2_PLANTED_SELECTED"
"""Names ``Class::test`` of what is collected; empty for all. To collect the rest would take longer than to run these."""
LEFT_OUT = "BACKY2_PLANTED_LEFT_OUT"
"""A pattern of names of tests that are not run."""

_failed: Counter[str] = Counter()
_results: dict[str, tuple[str, str]] = {}


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[pytest.Item] | None:
    selected = os.environ.get(SELECTED, "").split()
    if isinstance(collector, pytest.Class) and name.startswith("test_") and any("::" in one for one in selected):
        return None if f"{collector.name}::{name}" in selected else []
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if pattern := os.environ.get(LEFT_OUT):
        items[:] = [item for item in items if not re.search(pattern, item.name)]
    places = {name: place for place, name in enumerate(dict.fromkeys(_class_of(item.nodeid) for item in items))}
    items.sort(key=lambda item: (places[_class_of(item.nodeid)], not _is_concerned(item)))


def _is_concerned(item: pytest.Item) -> bool:
    test = getattr(item, "function", None)
    return any(re.search(rf"\b{name}\b", _source(test)) for name in _broken(getattr(item, "cls", None)))


def _broken(suite: type | None) -> Sequence[str]:
    """The names of public methods that the planted class has anew."""
    kind = getattr(suite, "planted", None)
    return [name for name in vars(kind) if not name.startswith("_")] if isinstance(kind, type) else []


@functools.cache
def _source(test: object) -> str:
    return inspect.getsource(test) if inspect.isfunction(test) else ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if _failed[_class_of(item.nodeid)] >= int(os.environ[ENOUGH]):
        pytest.skip("found out already")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        if _results.get(report.nodeid, ("",))[0] != "failed":
            _failed[_class_of(report.nodeid)] += 1
        crash = getattr(report.longrepr, "reprcrash", None)
        _results[report.nodeid] = ("failed", str(getattr(crash, "message", report.longrepr)))
    elif report.skipped or report.when == "call":
        _results.setdefault(report.nodeid, (report.outcome, ""))


def pytest_sessionfinish() -> None:
    with open(os.environ[RESULTS], "w", encoding="utf-8") as file:
        json.dump(_results, file)


def _class_of(nodeid: str) -> str:
    return nodeid.split("::")[1]
