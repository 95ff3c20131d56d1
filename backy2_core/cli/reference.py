"""The reference pages of the verbs and the exit codes, made from the code (``make docs``)."""

from __future__ import annotations

import argparse
import inspect
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backy2_core import errors
from backy2_core.cli.app import BackyApp
from backy2_core.cli.outcome import SIGNAL_CODES
from backy2_core.cli.verbs import Displaying, ListVerb, Verb, first_line
from backy2_core.errors import BackyError
from backy2_core.plugins.discovery import FORMATTERS, OWN_DISTRIBUTION

_NOTE = "<!-- Made by `make docs`; change the code, not this page. -->"


class Recorder(argparse.ArgumentParser):
    """A parser that remembers its arguments in order; argparse has no public way to ask for them."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        self.recorded: list[argparse.Action] = []

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add and remember one."""
        action = super().add_argument(*args, **kwargs)
        self.recorded.append(action)
        return action


def pages() -> dict[str, str]:
    """Every page by its path below ``docs``."""
    app = BackyApp(io.StringIO(), io.StringIO())
    verbs = dict(_own_verbs(app))
    made = {f"commands/{_file_name(name)}": verb_page(name, verb) for name, verb in verbs.items()}
    made["commands/README.md"] = _index(verbs)
    made["commands/output.md"] = _output_page(app)
    made["exit-codes.md"] = _exit_codes_page()
    return made


def verb_page(name: str, verb: Verb) -> str:
    """The page of one verb: what ``--help`` says."""
    recorder = Recorder()
    verb.add_arguments(recorder)
    options = [action for action in recorder.recorded if action.option_strings]
    arguments = [action for action in recorder.recorded if not action.option_strings]
    summary, _, rest = inspect.cleandoc(verb.__doc__ or "").partition("\n")
    parts = [
        f"# backy2 {name}",
        _NOTE,
        summary,
        f"```\n{_usage(name, verb, options, arguments)}\n```",
        _paragraph(rest),
        _section("Arguments", [f"- `{action.metavar}`: {_help(action)}" for action in arguments]),
        _section("Options", [f"- {_option(action)}: {_help(action)}" for action in options]),
        _output_section(verb),
        f"## Example\n\n```\n{inspect.cleandoc(verb.example)}\n```",
        "## Exit codes\n\n" + _table(("code", "meaning"), verb.exit_codes().items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_pages(folder: Path) -> None:
    """Write all pages below ``folder``, and remove those of verbs that are no more."""
    made = pages()
    (folder / "commands").mkdir(parents=True, exist_ok=True)
    for path in (folder / "commands").glob("*.md"):
        if f"commands/{path.name}" not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


def _own_verbs(app: BackyApp) -> Iterator[tuple[str, Verb]]:
    for summary in app.catalogue.summaries():
        factory = app.catalogue.load_verb(summary.name)
        if issubclass(factory, Verb) and not summary.distribution:
            yield summary.name, factory(app, app.options, cmd_name=summary.name)


def _file_name(name: str) -> str:
    return f"{name.replace(' ', '-')}.md"


def _usage(name: str, verb: Verb, options: Sequence[argparse.Action], arguments: Sequence[argparse.Action]) -> str:
    words = [f"[{_with_value(action.option_strings[0], action)}]" for action in options]
    if isinstance(verb, Displaying):
        words.append("[OUTPUT OPTION...]")
    words += [f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar) for action in arguments]
    return " ".join([f"backy2 {name}", *words])


def _with_value(option: str, action: argparse.Action) -> str:
    return option if action.nargs == 0 else f"{option} {action.metavar}"


def _option(action: argparse.Action) -> str:
    return ", ".join(f"`{_with_value(option, action)}`" for option in action.option_strings)


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _paragraph(text: str) -> str:
    return "\n".join(line for line in text.strip().splitlines())


def _section(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(lines) if lines else ""


def _output_section(verb: Verb) -> str:
    if not isinstance(verb, Displaying):
        return ""
    what = "A list with the columns" if isinstance(verb, ListVerb) else "A record with the fields"
    shown = verb.default_columns or verb.columns
    text = f"## Output\n\n{what} {_names(shown)}; see [output](output.md) for the options."
    if rest := [name for name in verb.columns if name not in shown]:
        text += f"\nShown if asked for: {_names(rest)}."
    if verb.machine_columns:
        text += f"\nThe machine format shows {_names(verb.machine_columns)}."
    if verb.record_type:
        text += f"\nIn the machine format a first column, `type`, holds `{verb.record_type}`."
    if verb.later_machine_columns:
        text += f"\nWith `machine_output = 2.13` it shows {_names(verb.later_machine_columns)}."
    return text


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _index(verbs: dict[str, Verb]) -> str:
    rows = [(f"[{name}]({_file_name(name)})", first_line(type(verb))) for name, verb in verbs.items()]
    intro = (
        "Global options stand before the command: `backy2 -m ls`. `backy2 --help` lists them. See also\n"
        "[output formats](output.md) and [exit codes](../exit-codes.md)."
    )
    return "\n\n".join(["# Commands", _NOTE, intro, _table(("command", "what it does"), rows)]) + "\n"


def _output_page(app: BackyApp) -> str:
    rows = []
    for entry in app.entries:
        if entry.group == FORMATTERS and entry.distribution == OWN_DISTRIBUTION:
            doc = inspect.getdoc(app.registry.load(FORMATTERS, entry.name).plugin) or ""
            text = " ".join(doc.partition(": ")[2].split()).replace("``", "`")
            rows.append((f"`{entry.name}`", text[0].upper() + text[1:]))
    return "\n\n".join(["# Output", _NOTE, _OUTPUT, _table(("format", "what it writes"), rows)]) + "\n"


_OUTPUT = """\
Results go to standard output; logs and progress go to standard error. Commands that print a list or a record take:

- `-f FORMAT`, `--format FORMAT`: the format, `table` if nothing is said; under `backy2 -m` it is `machine`.
- `-f COLUMN,COLUMN`, `--format COLUMN,COLUMN`: show these columns, in this order, as in the original's later releases. A
  format may be given beside them: `-f csv -f name,date`.
- `-c COLUMN`, `--column COLUMN`: show only this column or field; repeatable. Names are matched without regard to case,
  and `_` stands for a blank.
- `--sort-column COLUMN`, `--sort-ascending`, `--sort-descending`: lists only; sort by this column; repeatable.

Before the command, `-s` leaves out the header (of `table`, `csv` and `machine`), and `-r` writes sizes as `125 KiB` or
`1 MiB`, in steps of 1024 and without decimals: `backy2 -r -s ls`.

Where a command has an option `-f` or `-c` of its own, only the long name serves the format. Formats have options of
their own; `backy2 ls -f FORMAT --help` shows them. In `json`, `yaml`, `csv` and `value`, times are UTC as
`2024-01-31T23:59:59Z`; in `table` and `machine` as `2024-01-31 23:59:59`. In `machine`, dates of versions have the
fraction of the second where there is one, as in the original. The [setting](../configuration.md#backy2) `machine_output`
gives `machine` the form that the original's later releases have: no column `type`, no fractions."""


def _exit_codes_page() -> str:
    rows = [(0, "", "All is well, and only then.")]
    rows += [(cls.exit_code, f"`{cls.__name__}`", first_line(cls)) for cls in _coded(BackyError)]
    rows.append((BackyError.exit_code, "", "Anything unexpected; the log file holds the details."))
    rows += [(code, "", meaning) for code, meaning in SIGNAL_CODES.items()]
    intro = (
        "The exit code says what kind of error ended a command. The codes are stable. The help of each command names\n"
        "those that it may end with."
    )
    table = _table(("code", "error", "meaning"), sorted(rows))
    return "\n\n".join(["# Exit codes", _NOTE, intro, table]) + "\n"


def _coded(parent: type[BackyError]) -> Iterator[type[BackyError]]:
    """The classes of the error tree that have an exit code of their own."""
    for cls in parent.__subclasses__():
        if cls.__module__ == errors.__name__ and "exit_code" in vars(cls):
            yield cls
        yield from _coded(cls)
