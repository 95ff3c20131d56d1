"""Meta backend ``audited``: another one behind it, found by name like any plugin, and a file that says what was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from backy2_core.api import MetaBackend, Setting, Settings, SettingType, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """Where the other one's database and the audit file are."""
    return (
        Setting("engine", SettingType.SECRET, None, "URL of the database.", required=True),
        Setting("audit", SettingType.PATH, None, "File for the counts of calls.", required=True),
    )


@hookimpl
def backy2_open_meta_backend(settings: Settings) -> MetaBackend:
    """Open the other one and stand before it."""
    (point,) = entry_points(group="backy2.meta_backends", name="sql")
    sql = point.load()
    defaults = {setting.name: setting.default for setting in sql.backy2_settings()}
    inner = sql.backy2_open_meta_backend({**defaults, "engine": settings["engine"]})
    return Audited(inner, Path(settings["audit"]))


class _Base(MetaBackend):
    def __init__(self, inner: MetaBackend, audit: Path) -> None:
        self.inner = inner
        self.audit = audit
        self.calls: Counter[str] = Counter()


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: _Base, *args: Any, **kwargs: Any) -> Any:
        self.calls[name] += 1
        return getattr(self.inner, name)(*args, **kwargs)

    return method


def _close(self: _Base) -> None:
    with self.audit.open("a", encoding="utf-8") as file:
        file.writelines(f"{name} {count}\n" for name, count in sorted(self.calls.items()))
    self.calls.clear()
    self.inner.close()


_methods: dict[str, Any] = {name: _passed_on(name) for name in MetaBackend.__abstractmethods__}
_methods["location"] = property(lambda self: f"audited {self.inner.location}")
_methods["close"] = _close
Audited = type("Audited", (_Base,), _methods)
