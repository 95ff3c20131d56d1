"""Runs the public suites against planted faults, each role in one process, and keeps in ``caught.json`` what found what.

``python -m tests.planted.run ROLE...`` runs everything anew and writes the file; ``--broken NAME`` runs only some.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.planted import recorder
from tests.planted.roles import MODULES, faults_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CAUGHT = HERE / "caught.json"
KEPT = 3
"""So many tests are written down for each fault, those first that find the fewest others."""


def run(role: str, selected: Sequence[str], enough: int = 1_000_000, timeout_s: int = 60) -> dict[str, list[str]]:
    """``[outcome, message]`` of each test by ``Class::test``. ``selected`` are such names, or of classes; none is all."""
    module = f"tests/planted/{MODULES[role]}.py"
    with tempfile.TemporaryDirectory() as folder:
        results, arguments = Path(folder) / "results.json", Path(folder) / "arguments"
        arguments.write_text("\n".join([f"{module}::{name}" for name in selected] or [module]), encoding="utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", f"@{arguments}", "-q", "-p", "tests.planted.recorder"),
                *("-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "--timeout", str(timeout_s)),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                recorder.RESULTS: str(results),
                recorder.ENOUGH: str(enough),
                recorder.SELECTED: " ".join(name.partition("[")[0] for name in selected),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), (
            f"pytest ended with {done.returncode}:\n" + done.stdout[-5000:] + done.stderr[-5000:]
        )
        found = json.loads(results.read_text(encoding="utf-8"))
    return {nodeid.partition("::")[2]: outcome for nodeid, outcome in found.items()}


def references_with(role: str, tests: Iterable[str]) -> list[str]:
    """These tests of what the broken implementations were made from, where it has them."""
    module = importlib.import_module(f"tests.planted.{MODULES[role]}")
    wanted = sorted(set(tests))
    return [
        f"{name}::{test}"
        for name in classes_of_what_is_right(role)
        for test in wanted
        if hasattr(getattr(module, name), test.partition("[")[0])
    ]


def classes_of_what_is_right(role: str) -> list[str]:
    """The suites of what the broken implementations were made from."""
    module = importlib.import_module(f"tests.planted.{MODULES[role]}")
    return [name for name in vars(module) if name.startswith("TestRight")]


def failures(results: dict[str, list[str]], broken: str) -> list[str]:
    """The tests that failed for one broken implementation."""
    return [
        name.partition("::")[2]
        for name, (outcome, _) in results.items()
        if outcome == "failed" and name.startswith(f"Test{broken}::")
    ]


def caught() -> dict[str, dict[str, list[str]]]:
    """Tests by role and broken implementation, as they were written down."""
    return json.loads(CAUGHT.read_text(encoding="utf-8") or "{}") if CAUGHT.exists() else {}


def record(role: str, results: dict[str, list[str]], names: Sequence[str]) -> None:
    """Write down which tests found which of these broken implementations."""
    found = {name: failures(results, name) for name in names}
    with open(CAUGHT, "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write_down(role, found)


def _write_down(role: str, found: dict[str, list[str]]) -> None:
    often = Counter(test for tests in found.values() for test in tests)
    book = caught()
    known = book.setdefault(role, {})
    known.update({name: sorted(tests, key=lambda test: (often[test], test))[:KEPT] for name, tests in found.items()})
    book[role] = {name: known[name] for name in sorted(known) if name in faults_of(role).kinds()}
    CAUGHT.write_text(json.dumps(dict(sorted(book.items())), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roles", nargs="*", default=sorted(MODULES))
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("--part", default="0/1", help="only every so many-th, as in 1/2")
    parser.add_argument("--enough", type=int, default=1_000_000)
    arguments = parser.parse_args()
    for role in arguments.roles:
        part, parts = map(int, arguments.part.split("/"))
        names = arguments.broken or list(faults_of(role).kinds())[part::parts]
        classes = [f"Test{name}" for name in names]
        results = run(role, classes if arguments.broken or parts > 1 else [], arguments.enough)
        record(role, results, names)
        for name in names:
            messages = [results[f"Test{name}::{test}"][1].split("\n")[0][:110] for test in caught()[role][name]]
            print(role, name, "NOT CAUGHT" if not messages else f"{len(failures(results, name))}: {messages[0]}")
        wrongly = [
            name for name, (outcome, _) in results.items() if outcome == "failed" and name.startswith("TestRight")
        ]
        print(role, "references:", wrongly or "pass")


if __name__ == "__main__":
    main()
