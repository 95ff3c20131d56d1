"""The pages of the plugin door that are made from the code: its hooks, and its names."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from backy2_core import api
from backy2_core.contracts import hookspecs

NOTE = "<!-- Made by `make docs`; change the code, not this page. -->"
WIDTH = 100
PROSE_WIDTH = 120
HOOKS_INTRO = """\
A hook is a function of a plugin object, marked with `@hookimpl`, that the core calls when it needs the plugin. How plugin
objects are found is in [plugins](README.md). Every hook is here with its exact signature; an implementation may leave out
arguments that it does not need.

What holds for all, unless a hook says otherwise:

- **When**: after the plugin was selected by name; hooks of other plugins are not called. Listeners are all called.
- **Thread**: the one that runs the command, one hook at a time.
- **An exception** of the tree below `BackyError` ends the command with its own message and exit code. Any other
  becomes a `PluginError`, exit code 11, that names your distribution; its traceback is in the log file.
- **The result** is checked: one of another class than the signature says is a `PluginError`."""
API_INTRO = f"""\
Everything that a plugin may import is in `backy2_core.api`. It is typed, and importing it is cheap: no database, store or
cipher is loaded. This is API version {api.API_VERSION}; [what changed](api-changes.md) says what each version brought.
Names marked *provisional* (`PROVISIONAL` in the module) may change in any release until 1.0; all others only together with
`API_VERSION`. Commands have [a door of their own](#commands)."""
COMMANDS = """\
## Commands

A command of yours derives from a class of `backy2_core.api_commands`, see [plugins](README.md#commands)."""
HEADINGS = {
    "api": "The version",
    "contracts.hookspecs": "Hooks",
    "contracts.settings": "Settings",
    "contracts.source": "Sources and targets",
    "contracts.snapshots": "Snapshots of sources",
    "contracts.data_backend": "Data backends",
    "contracts.transform": "Transforms",
    "contracts.keyring": "Keys",
    "contracts.listener": "Listeners",
    "contracts.formatter": "Formatters",
    "contracts.meta_backend": "Meta backends",
    "contracts.original": "The original's database",
    "errors": "Errors",
    "model": "Values",
}


def pages() -> dict[str, str]:
    """Every page by its path below ``docs``."""
    return {"plugins/hooks.md": hooks_page(), "plugins/api.md": api_page()}


def write_plugin_pages(folder: Path) -> None:
    """Write all pages below ``folder``."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def hooks() -> dict[str, str]:
    """Every hook with its signature, as it would be written."""
    return {
        name: signature(name)
        for name, function in vars(hookspecs).items()
        if name.startswith("backy2_") and inspect.isfunction(function)
    }


def signature(hook: str) -> str:
    """``def`` and all, broken where it is too long for a line."""
    whole = f"def {hook}{inspect.signature(getattr(hookspecs, hook))}: ...".replace("'", "")
    if len(whole) <= WIDTH:
        return whole
    head, arguments, tail = re.fullmatch(r"(def \w+\()(.*)(\) -> .*)", whole).groups()  # type: ignore[union-attr]
    return f"{head}\n    {arguments}\n{tail}"


def hooks_page() -> str:
    """A section a hook."""
    parts = ["# Hooks", NOTE, HOOKS_INTRO]
    for hook, written in hooks().items():
        parts += [f"## `{hook}`", f"```python\n{written}\n```", *_paragraphs(getattr(hookspecs, hook))]
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """A table of names for each place that they come from."""
    by_heading: dict[str, list[str]] = {heading: [] for heading in HEADINGS.values()}
    for name in api.__all__:
        mark = " *Provisional.*" if name in api.PROVISIONAL else ""
        by_heading[heading_of(name)].append(f"| `{name}` | {line_of(name)}{mark} |")
    parts = ["# The door", NOTE, API_INTRO]
    for heading, rows in by_heading.items():
        parts += [f"## {heading}", "\n".join(["| name | what it is |", "|---|---|", *rows])]
    return "\n\n".join([*parts, COMMANDS]) + "\n"


def heading_of(name: str) -> str:
    """The heading under which a name of the door stands."""
    module = _home(name).__name__.removeprefix("backy2_core.")
    return HEADINGS.get(module) or HEADINGS[module.partition(".")[0]]


def line_of(name: str) -> str:
    """What a name of the door is, in a line."""
    thing = getattr(api, name)
    foreign = inspect.isclass(thing) and not thing.__module__.startswith("backy2_core.")
    text = (inspect.getdoc(thing) or "") if inspect.isclass(thing) or inspect.isfunction(thing) else _text_below(name)
    line = _markdown(_first_sentence(text)).replace("|", "\\|")
    return f"{line} (of {thing.__module__.partition('.')[0]})" if foreign else line


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", paragraph)[0]


def _paragraphs(function: object) -> Iterator[str]:
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        text = _markdown(" ".join(paragraph.split()))
        for word in ("When:", "Thread:", "An exception"):
            text = text.replace(word, f"**{word}**")
        yield textwrap.fill(text, PROSE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _markdown(text: str) -> str:
    """Without the marks of our docstrings that markdown does not know."""
    text = re.sub(r":\w+:`(?:~?[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def _text_below(name: str) -> str:
    """The text that stands below an assignment, which Python does not keep."""
    body = ast.parse(inspect.getsource(_home(name))).body
    for statement, below in itertools.pairwise(body):
        assigned = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in assigned):
            value = below.value if isinstance(below, ast.Expr) else None
            return str(value.value) if isinstance(value, ast.Constant) else ""
    return ""


def _home(name: str) -> ModuleType:
    """The module of ours from which the door has a name."""
    tree = ast.parse(inspect.getsource(api))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and any(alias.name == name for alias in statement.names):
            return sys.modules[str(statement.module)]
    return api
