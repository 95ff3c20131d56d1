"""How long the program takes to start: beside a trivial cliff application, and with many plugins installed.

The trivial one has as many moving parts as it needs to list nothing: an App, a CommandManager, one Lister found by an
entry point. It stands in a folder of its own on PYTHONPATH and is not installed; and so do the plugins, each a distribution
of its own that would fail if anybody imported it.
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
PLUGINS = 50
PLUGINS_TARGET = 1.1

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
    rows = []
    for what, one, other in pairs:
        walls = _medians([(one, environment), (other, environment)], runs)
        rows.append([what, *map(report.seconds, walls), *report.at_most(walls[0] / walls[1], TARGET)])
    beside = report.table(
        f"Start-up, medians of {runs} runs, interleaved (beside `ls`: a trivial application that imports SQLAlchemy too)",
        ["command", "backy2", "trivial", "ratio", "target"],
        rows,
    )
    commands = {"--help": [backy2, "--help"], "ls, empty database": listing, "reading metadata alone": _READING}
    return beside + "\n" + _with_plugins(folder, commands, runs, environment)


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


def make_plugins(site: Path, count: int) -> Path:
    """Leave ``count`` distributions in the folder ``site``, each with a source and a data backend."""
    site.mkdir()
    for number in range(count):
        name = f"dummy_{number}"
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir()
        text = "A line of the long description that most distributions have.\n" * 100
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n{text}")
        points = "".join(f"[backy2.{group}]\n{name} = {name}\n" for group in ("sources", "data_backends"))
        (metadata / "entry_points.txt").write_text(points)
        (site / f"{name}.py").write_text("raise RuntimeError('nobody asked for this plugin')\n")
    return site


def _with_plugins(
    folder: Path, commands: Mapping[str, Sequence[str]], runs: int, environment: Mapping[str, str]
) -> str:
    site = make_plugins(folder / "plugins", PLUGINS)
    more = {**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], str(site)])}
    rows = []
    for what, command in commands.items():
        none, many = _medians([(command, environment), (command, more)], runs)
        verdict = ("-", "-") if command is _READING else report.at_most(many / none, PLUGINS_TARGET)
        rows.append([what, report.seconds(none), report.seconds(many), f"{(many - none) * 1000:.1f} ms", *verdict])
    return report.table(
        f"Start-up with {PLUGINS} plugins more, medians of {runs} runs, interleaved",
        ["command", "none more", f"{PLUGINS} more", "difference", "ratio", "target"],
        rows,
    )


_READING = [sys.executable, "-c", "import importlib.metadata; importlib.metadata.entry_points()"]


def _medians(commands: Sequence[tuple[Sequence[str], Mapping[str, str]]], runs: int) -> list[float]:
    """The median wall time of each command in its environment, in seconds."""
    walls: list[list[float]] = [[] for _ in commands]
    for number in range(runs + 1):
        for (command, environment), list_of in zip(commands, walls, strict=True):
            wall_s = measure.run(command, env=environment).wall_s
            if number:  # the first run of each fills caches
                list_of.append(wall_s)
    return [statistics.median(each) for each in walls]
