"""The matrix of broken plugins against commands: each says what is wrong, and only the one that is selected hurts.

`pytest -q -s tests/plugins/test_isolation.py -k matrix` prints it.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backy2_core.cli.main import main

pytestmark = pytest.mark.xdist_group("plugins")

ROLES = {
    # role: (group, hook, its arguments, base class)
    "source": ("sources", "backy2_open_source", "url, settings", "Source"),
    "data backend": ("data_backends", "backy2_open_data_backend", "settings", "DataBackend"),
    "meta backend": ("meta_backends", "backy2_open_meta_backend", "settings", "MetaBackend"),
    "transform": ("transforms", "backy2_make_transform", "settings, parameters, keyring", "Transform"),
    "formatter": ("formatters", "backy2_make_formatter", "", "ListFormatter"),
    "listener": ("listeners", "backy2_make_listener", "settings", "Listener"),
    "command": ("commands", "", "", ""),
}
PLUGIN = """\
{before}
from backy2_core.api import *
from backy2_core.api import hookimpl

backy2_api_version = {version}


class Half({base}):
    pass


class Stranger:
    pass


class Hostile:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)


hostile = Hostile()


@hookimpl
def backy2_settings():
    {settings}


@hookimpl
def {hook}({arguments}):
    {body}
"""
COMMAND = """\
{before}
from cliff.command import Command


class Verb(Command):
    "Do what a stranger does."

    def take_action(self, parsed_args):
        {body}


class Hostile:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)


hostile = Hostile()
"""


@dataclass(frozen=True)
class Fault:
    """How a plugin is broken.

    ``says`` is what the selected one says, a regular expression. ``listed`` is the state in ``plugins list``: what is wrong
    with a hook shows only when it is called.
    """

    says: str
    listed: str = "broken"
    before: str = ""
    version: str = "1"
    arguments: str | None = None
    settings: str = "return []"
    body: str = "return None"
    attribute: str = ""
    twice: bool = False
    commands_too: bool = True
    hangs: bool = False

    def roles(self) -> list[str]:
        """In which roles a plugin is broken so; a command has no hooks, and what hangs takes time."""
        if self.hangs:
            return ["source", "listener", "command"]
        return [role for role in ROLES if self.commands_too or role != "command"]


RAISES_AT_A_HOOK = {"listed": "ok", "commands_too": False}
FAULTS = {
    "import error": Fault(
        "importing .* raised RuntimeError: no luck today", before="raise RuntimeError('no luck\\ntoday')"
    ),
    "missing dependency": Fault(
        "importing .* raised ModuleNotFoundError: No module named 'no_such_library'", before="import no_such_library"
    ),
    "syntax error": Fault("importing .* raised SyntaxError", before="def ("),
    "ends the program at import": Fault("importing .* raised SystemExit: bye", before="import sys; sys.exit('bye')"),
    "own exception at import": Fault(
        "importing .* raised Wild", before="class Wild(BaseException):\n    pass\nraise Wild()"
    ),
    "hangs at import": Fault(
        r"importing .* took more than 0.5 seconds and was given up; \$BACKY2_PLUGIN_SECONDS",
        before="import time; time.sleep(60)",
        hangs=True,
    ),
    "hangs and catches everything": Fault(
        "importing .* took more than 0.5 seconds",
        before="import time\nwhile True:\n    try:\n        time.sleep(60)\n    except Exception:\n        pass",
        hangs=True,
    ),
    "no such attribute": Fault("importing .* raised (AttributeError|ImportError)", attribute="nothing_here"),
    "hostile __getattr__": Fault("ZeroDivisionError|expected a subclass|is no subclass", attribute="hostile"),
    "old API version": Fault("version 0 of the plugin API, too old", version="0", commands_too=False),
    "new API version": Fault("version 99 of the plugin API, too new", version="99", commands_too=False),
    "no API version": Fault("carries no integer backy2_api_version", version="None", commands_too=False),
    "wrong hook signature": Fault(
        "'colour'.* can not be found in the hookspec", arguments="colour", commands_too=False
    ),
    "exception at backy2_settings": Fault(
        "backy2_settings raised KeyError: 'x'", settings="raise KeyError('x')", **RAISES_AT_A_HOOK
    ),
    "settings of a wrong class": Fault("must return a sequence of", settings="return ['path']", **RAISES_AT_A_HOOK),
    "exception at its own hook": Fault(
        "{hook} raised ValueError: bad luck", body="raise ValueError('bad luck')", **RAISES_AT_A_HOOK
    ),
    "ends the program at its hook": Fault(
        "{hook} raised SystemExit: 3", body="raise SystemExit(3)", **RAISES_AT_A_HOOK
    ),
    "wrong base class": Fault(
        "{hook} returned an instance of .*Stranger, expected", body="return Stranger()", **RAISES_AT_A_HOOK
    ),
    "missing method": Fault(
        "{hook} raised TypeError: Can't instantiate abstract class Half", body="return Half()", **RAISES_AT_A_HOOK
    ),
    "two distributions of one name": Fault("claimed by one 1.0 and other 1.0", listed="duplicate", twice=True),
}


class Installation:
    """The program within this process, with files of its own, and strangers' distributions on its path."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch
        for name in ("DATA", "STATE", "CONFIG"):
            patch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
            self.config = folder / "plugins.cfg"
        patch.setenv("BACKY2_CONFIG", str(self.config))
        self.select()
        (folder / "image").write_bytes(b"some bytes" * 10_000)
        self.image = f"file://{folder}/image"

    def select(self, data: str = "file", meta: str = "sql", core: str = "") -> None:
        """Write the configuration."""
        path = f"path = {self.folder}/store\n" if data == "file" else ""
        engine = f"engine = sqlite:///{self.folder}/db\n" if meta == "sql" else ""
        self.config.write_text(
            f"[backy2]\n{core}\n[data_backend]\ntype = {data}\n{path}[meta_backend]\ntype = {meta}\n{engine}"
        )

    def install(self, distribution: str, fault: Fault, roles: list[str], module: str) -> None:
        """Leave what pip would leave."""
        site = self.folder / distribution
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        points = []
        for role in roles:
            group, hook, arguments, base = ROLES[role]
            name = f"{module}_{group}"
            text = COMMAND if role == "command" else PLUGIN
            given = arguments if fault.arguments is None else fault.arguments
            (site / f"{name}.py").write_text(
                text.format(
                    hook=hook,
                    arguments=given,
                    base=base,
                    before=fault.before,
                    version=fault.version,
                    settings=fault.settings,
                    body=fault.body,
                )
            )
            attribute = fault.attribute or ("Verb" if role == "command" else "")
            points.append(f"[backy2.{group}]\nbad = {name}{':' if attribute else ''}{attribute}\n")
        (info / "entry_points.txt").write_text("".join(points))
        self._patch.syspath_prepend(site)

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
        return code, out.getvalue(), err.getvalue()

    def run_selected(self, role: str) -> tuple[int, str, str]:
        """Run a command for which the broken plugin of this role is selected."""
        commands = {
            "source": ["backup", "bad:///x", "vm"],
            "formatter": ["ls", "-f", "bad"],
            "meta backend": ["ls"],
            "command": ["bad"],
        }
        self.select(
            data="bad" if role == "data backend" else "file",
            meta="bad" if role == "meta backend" else "sql",
            core={"transform": "transforms = bad", "listener": "required_listeners = bad"}.get(role, ""),
        )
        try:
            return self.run(*commands.get(role, ["backup", self.image, "vm"]))
        finally:
            self.select()


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Set up, and nobody else's modules left behind."""
    before = set(sys.modules)
    made = Installation(tmp_path, monkeypatch)
    assert made.run("initdb")[0] == 0
    yield made
    for name in set(sys.modules) - before:
        if name.startswith("bad_"):
            del sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def _heading() -> None:
    head = (
        "how the plugins of all roles are broken",
        "--help",
        "ls",
        "backup",
        "plugins list",
        "selected: exit code and message",
    )
    print("\n" + ROW.format(*head))
    print(ROW.format("-" * 39, "-" * 6, "-" * 4, "-" * 6, "-" * 14, "-" * 40))


ROW = "| {:<39} | {:<6} | {:<4} | {:<6} | {:<14} | {}"


@pytest.mark.parametrize("name", FAULTS)
def test_matrix(installation: Installation, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    roles = fault.roles()
    if fault.hangs:
        # Loads what is to be loaded in time, however busy the machine is.
        assert installation.run("plugins", "list")[0] == 0
        assert installation.run("-q", "backup", installation.image, "vm0")[0] == 0
        monkeypatch.setenv("BACKY2_PLUGIN_SECONDS", "0.5")
    module = "bad_" + re.sub(r"\W", "_", name)
    for distribution in ("one", "other") if fault.twice else ("one",):
        installation.install(distribution, fault, roles, module)

    code, out, err = installation.run("--help")
    assert (code, err) == (0, "")
    assert "  ls " in out
    if fault.commands_too:
        assert re.search(r"\n  bad  .*\(broken\)", out)
    codes = [f"{code}"]

    code, out, err = installation.run("ls", "-f", "json")
    assert (code, len(json.loads(out)), err) == (0, int(fault.hangs), "")
    codes.append(f"{code}")

    code, out, err = installation.run("-q", "backup", installation.image, "vm")
    assert code == 0, err
    assert len(out.splitlines()) == 1 or out.startswith("+"), out
    warnings = [line for line in err.splitlines() if line]
    # Listeners are loaded unasked: a broken one is a warning that names its distribution.
    assert len(warnings) <= 1
    assert all("listener bad is left out" in line and "one 1.0" in line for line in warnings)
    codes.append(f"{code}")

    began = time.monotonic()
    code, out, err = installation.run("plugins", "list", "-f", "json")
    assert (code, err) == (0, "")
    assert time.monotonic() - began < 20
    rows = [row for row in json.loads(out) if row["name"] == "bad"]
    assert len(rows) == len(roles) * (2 if fault.twice else 1)
    assert {row["state"] for row in rows} == {fault.listed}
    assert {row["state"] for row in json.loads(out) if row["distribution"] == "backy2"} == {"ok"}
    if fault.listed != "ok":
        assert all(re.search(fault.says, row["reason"]) for row in rows), rows
    codes.append(f"{code} {fault.listed}")

    said = ""
    for role in roles:
        code, out, err = installation.run_selected(role)
        pattern = fault.says.replace("{hook}", ROLES[role][1])
        if role == "formatter" and ("backy2_settings" in pattern or name.startswith("settings")):
            continue  # formatters have no settings, nobody asks for them
        assert code == 11, (role, code, err)
        assert re.search(pattern, err), (role, err)
        assert fault.twice or re.search(r"distribution one 1\.0", err), (role, err)
        assert "Traceback" not in err
        said = said or err.strip().splitlines()[-1]
    print(ROW.format(name, *codes, f"11 {said.removeprefix('ERROR: ')}"))


def test_matrix_of_a_plugin_that_prints_when_it_is_imported(installation: Installation) -> None:
    noisy = Fault("", before="print('noise')", body="raise SourceError('reached')")
    installation.install("one", noisy, ["source", "listener"], "bad_noisy")
    code, out, _ = installation.run("plugins", "list", "-f", "json")
    assert code == 0
    assert {row["state"] for row in json.loads(out) if row["name"] == "bad"} == {"ok"}
    code, out, err = installation.run("-m", "backup", installation.image, "vm")
    assert code == 0
    assert re.fullmatch(r"[0-9a-f-]{36}\n", out)
    code, out, err = installation.run("backup", "bad:///x", "vm")
    assert (code, out, "reached" in err) == (12, "", True)
    print(
        ROW.format(
            "prints at import", "0", "0", "0", "0 ok", "as it would without; what it prints goes to standard error"
        )
    )


def test_matrix_under_a_restriction(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS["import error"]
    installation.install("one", fault, list(ROLES), "bad_restricted")
    monkeypatch.setenv("BACKY2_PLUGINS", "somebody-else")
    code, out, err = installation.run("--help")
    assert (code, "bad" in out, err) == (0, False, "")
    assert installation.run("ls")[0] == 0
    code, _, err = installation.run("-q", "backup", installation.image, "vm")
    assert (code, err) == (0, "")
    code, out, _ = installation.run("plugins", "list", "-f", "json")
    rows = [row for row in json.loads(out) if row["name"] == "bad"]
    assert {(row["state"], row["reason"]) for row in rows} == {
        ("disabled", "$BACKY2_PLUGINS does not name its distribution")
    }
    assert not [name for name in sys.modules if name.startswith("bad_restricted")]
    for role in ROLES:
        code, _, err = installation.run_selected(role)
        assert code == (2 if role == "command" else 11), (role, err)
        assert role == "command" or "is switched off: $BACKY2_PLUGINS does not name its distribution" in err
    print(
        ROW.format(
            "left out by BACKY2_PLUGINS",
            "0",
            "0",
            "0",
            "0 disabled",
            "11 ... is switched off: $BACKY2_PLUGINS does not name",
        )
    )


def test_matrix_of_plugins_that_are_switched_off(installation: Installation) -> None:
    installation.install("one", FAULTS["hangs at import"], ["source", "listener"], "bad_off")
    for notation in ("sources:bad", "listeners:bad"):
        assert installation.run("plugins", "disable", notation)[0] == 0
    began = time.monotonic()
    code, _, err = installation.run("-q", "backup", installation.image, "vm")
    assert (code, err) == (0, "")
    code, out, _ = installation.run("plugins", "list", "-f", "json")
    assert {row["state"] for row in json.loads(out) if row["name"] == "bad"} == {"disabled"}
    code, _, err = installation.run("backup", "bad:///x", "vm")
    assert (code, "`backy2 plugins enable sources:bad` switches it on" in err) == (11, True)
    assert time.monotonic() - began < 10
    assert not [name for name in sys.modules if name.startswith("bad_off")]
    print(
        ROW.format(
            "switched off by plugins disable", "0", "0", "0", "0 disabled", f"11 {err.strip().removeprefix('ERROR: ')}"
        )
    )


def test_an_alarm_of_somebody_else_goes_off_all_the_same(installation: Installation) -> None:
    import signal

    rung: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        installation.install("one", FAULTS["import error"], ["source"], "bad_alarm")
        installation.run("backup", "bad:///x", "vm")
        until = time.monotonic() + 5
        while not rung and time.monotonic() < until:
            time.sleep(0.01)
        assert rung
    finally:
        signal.signal(signal.SIGALRM, old)
        signal.setitimer(signal.ITIMER_REAL, left_s, interval_s)
