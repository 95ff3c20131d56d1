"""Listener ``diary``: a line for each event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backy2_core.api import Event, Listener, Setting, Settings, SettingType, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """Where the diary is, and which event it cannot stand."""
    return (
        Setting("file", SettingType.PATH, None, "The diary.", required=True),
        Setting("fails_at", SettingType.TEXT, "", "An event to fail at."),
    )


@hookimpl
def backy2_make_listener(settings: Settings) -> Listener:
    """Open nothing yet."""
    return Diary(Path(settings["file"]), settings["fails_at"])


class Diary(Listener):
    """Writes the event's class."""

    def __init__(self, path: Path, fails_at: str) -> None:
        self._path = path
        self._fails_at = fails_at

    def notify(self, event: Event) -> None:
        name = type(event).__name__
        if name == self._fails_at:
            raise RuntimeError(f"the diary cannot stand {name}")
        self._write(name)

    def close(self) -> None:
        self._write("closed")

    def _write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
