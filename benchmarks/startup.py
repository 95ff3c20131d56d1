"""How long the program takes to start, beside a trivial cliff application in the same environment.

The trivial one has as many moving parts as it needs to list nothing: an App, a CommandManager, one Lister found by an
entry point. It stands in a folder of its own on PYTHONPATH and is not installed.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import measure, report
from benchmarks.image import images_below
from benchmarks.subjects import Ours, program

RUNS = 20
TARGET = 1.3

_MODULE = """\
import sys
{extra}
from cliff.app import App
from cliff.commandmanager import CommandManager
from cliff.lister import Lister


class Ls(Lister):
    "List nothing."

    def take_action(self, parsed_args):
        return ("uid", "name"), []


def main():
    app = App("trivial", "1.0", CommandManager("{group}"))
    return app.run(sys.argv[1:])
"""
_SCRIPT = "import sys\nfrom {name} import main\nsys.exit(main())\n"


def run(folder: Path, runs: int = RUNS) -> str:
    """Measure both pairs and return the table."""
    ours = Ours(folder / "ours", images_below(folder))
    ours.prepare()
    trivial, with_sql = (
        make_trivial(folder, name, extra) for name, extra in (("trivial", ""), ("trivial_sql", "import sqlalchemy"))
    )
    backy2 = program("backy2")
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**ours.environment(), "PYTHONPATH": os.pathsep.join(path)}
    listing = [backy2, "--config", str(ours.config), "ls"]
    pairs = (
        ("--help", [backy2, "--help"], [*trivial, "--help"]),
        ("ls, empty database", listing, [*with_sql, "ls"]),
    )
    rows = [_row(what, one, other, runs, environment) for what, one, other in pairs]
    return report.table(
        f"Start-up, medians of {runs} runs, interleaved (beside `ls`: a trivial application that imports SQLAlchemy too)",
        ["command", "backy2", "trivial", "ratio", "target"],
        rows,
    )


def make_trivial(folder: Path, name: str, extra: str) -> list[str]:
    """Write a trivial application below ``folder``; the command line that starts it."""
    group = f"benchmark.{name}"
    (folder / f"{name}.py").write_text(_MODULE.format(extra=extra, group=group))
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\nls = {name}:Ls\n")
    script = folder / f"run_{name}"
    script.write_text(_SCRIPT.format(name=name))
    return [sys.executable, str(script)]


def _row(
    what: str, ours: Sequence[str], trivial: Sequence[str], runs: int, environment: Mapping[str, str]
) -> list[str]:
    walls: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for command, list_of in zip((ours, trivial), walls, strict=True):
            wall_s = measure.run(command, env=environment).wall_s
            if number:  # the first run of each fills caches
                list_of.append(wall_s)
    one, other = (statistics.median(w) for w in walls)
    return [what, report.seconds(one), report.seconds(other), *report.at_most(one / other, TARGET)]
