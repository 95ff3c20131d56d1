"""Loading plugins by group and name, and asking them for their objects."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pluggy
from stevedore.driver import DriverManager
from stevedore.extension import ExtensionManager

from backy2_core.contracts import hookspecs
from backy2_core.contracts.settings import Setting
from backy2_core.errors import PluginError
from backy2_core.plugins import gate
from backy2_core.plugins.discovery import COMMANDS, PluginEntry, installed_entries, seen_entries
from backy2_core.plugins.guard import Unusable, import_with_care, reason_of, run_with_care


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin object that passed the gate."""

    entry: PluginEntry
    plugin: object
    api_version: int

    def __str__(self) -> str:
        return str(self.entry)


class PluginState(enum.StrEnum):
    """What became of a plugin when it was looked at."""

    OK = "ok"
    BROKEN = "broken"
    DUPLICATE = "duplicate"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One line of ``backy2 plugins list``. ``api_version`` is None where it is not known or has no meaning."""

    group: str
    name: str
    distribution: str
    version: str
    api_version: int | None
    state: PluginState
    reason: str


class PluginRegistry:
    """The plugins of one run. Nothing is imported until it is asked for by name.

    Threads: for the thread that runs the command only.
    """

    def __init__(self, entries: Sequence[PluginEntry] | None = None) -> None:
        self._entries = installed_entries() if entries is None else tuple(entries)
        self._hooks = pluggy.PluginManager("backy2")
        self._hooks.add_hookspecs(hookspecs)
        self._loaded: dict[tuple[str, str], LoadedPlugin] = {}

    @property
    def entries(self) -> Sequence[PluginEntry]:
        """Every installed entry point of our groups, disabled ones too; nothing is imported."""
        return self._entries

    def names(self, group: str) -> list[str]:
        """Names that :meth:`load` would look for in ``group``, sorted, each once; says nothing about their health."""
        return sorted({entry.name for entry in seen_entries(self._entries, group)})

    def known(self, group: str) -> list[str]:
        """As :meth:`names`, with those that are switched off, of which :meth:`load` says by what."""
        return sorted({entry.name for entry in self._entries if entry.group == group})

    def load(self, group: str, name: str) -> LoadedPlugin:
        """Import and check one plugin; the second call returns the same object.

        Raises :class:`PluginError` if there is none of that name, if two distributions claim it, or if it is refused.
        """
        loaded = self._loaded.get((group, name))
        if loaded is not None:
            return loaded
        entry = self._select(group, name)
        try:
            loaded = self._admit_with_care(entry)
        except Unusable as error:
            raise PluginError(f"{entry} cannot be used: {error}") from error
        self._loaded[group, name] = loaded
        return loaded

    def offers(self, plugin: LoadedPlugin, hook: str) -> bool:
        """True if the plugin implements ``hook``."""
        return hook in self._hooks_of(plugin.plugin)

    def call(self, plugin: LoadedPlugin, hook: str, **arguments: Any) -> Any:
        """Call one plugin's ``hook``, that plugin's alone, and return what passed the gate.

        Errors of our own tree pass through; anything else, and a result of a wrong class, becomes a
        :class:`PluginError` that names the plugin.
        """
        if not self.offers(plugin, hook):
            raise PluginError(f"{plugin} cannot do this: it has no hook {hook}")
        others = [other for other in self._hooks.get_plugins() if other is not plugin.plugin]
        caller = self._hooks.subset_hook_caller(hook, remove_plugins=others)
        try:
            result = gate.call_hook(hook, lambda: caller(**arguments))
            run_with_care(f"what {hook} returned", lambda: gate.check_result(hook, result), Unusable)
        except Unusable as error:
            raise PluginError(f"{plugin} cannot be used: {error}") from error
        return result

    def settings(self, plugin: LoadedPlugin) -> tuple[Setting, ...]:
        """The settings that the plugin declares; none if it says nothing of settings."""
        if not self.offers(plugin, "backy2_settings"):
            return ()
        result = self.call(plugin, "backy2_settings")
        try:
            return gate.check_settings(result)
        except Unusable as error:
            raise PluginError(f"{plugin} cannot be used: {error}") from error

    def inspect_all(self) -> list[PluginRow]:
        """Try to load every plugin that is installed; a broken one is a row like any other, and nothing is raised."""
        return [self._inspect(entry) for entry in self._entries]

    def describe(self, group: str, name: str) -> list[PluginRow]:
        """The rows of one name: empty if nobody has it, more than one if several distributions claim it."""
        return [self._inspect(entry) for entry in self._entries if (entry.group, entry.name) == (group, name)]

    def _claims(self, group: str, name: str) -> list[PluginEntry]:
        return [entry for entry in seen_entries(self._entries, group) if entry.name == name]

    def _select(self, group: str, name: str) -> PluginEntry:
        claims = self._claims(group, name)
        if not claims:
            raise PluginError(self._missing(group, name))
        if len(claims) > 1:
            raise PluginError(f"plugin {name!r} of group {group} cannot be used: {_claimed_by(claims)}")
        return claims[0]

    def _missing(self, group: str, name: str) -> str:
        disabled = [entry for entry in self._entries if (entry.group, entry.name) == (group, name)]
        if disabled:
            return f"{disabled[0]} is switched off: {disabled[0].disabled}"
        names = self.names(group)
        close = difflib.get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return f"no plugin {name!r} in group {group}: {hint}Installed are: {', '.join(names) or 'none'}"

    def _admit_with_care(self, entry: PluginEntry) -> LoadedPlugin:
        # A plugin object may do anything when it is looked at.
        return run_with_care("looking at the plugin object", lambda: self._admit(entry), Unusable)

    def _admit(self, entry: PluginEntry) -> LoadedPlugin:
        plugin = _import(entry, [e.entry_point for e in self._claims(entry.group, entry.name)])
        version = gate.check_object(plugin)
        known = self._hooks.get_name(plugin) is not None
        try:
            if not known:
                self._register(plugin, f"{entry.group}:{entry.name}")
            gate.check_role(entry.group, plugin, self._hooks_of(plugin))
        except Unusable:
            if not known and self._hooks.is_registered(plugin):
                self._hooks.unregister(plugin)
            raise
        return LoadedPlugin(entry, plugin, version)

    def _register(self, plugin: object, name: str) -> None:
        try:
            self._hooks.register(plugin, name)
            self._hooks.check_pending()
        except Exception as error:  # a plugin object may do anything when its attributes are looked at
            if self._hooks.has_plugin(name):
                self._hooks.unregister(name=name)
            raise Unusable(reason_of(error)) from error

    def _hooks_of(self, plugin: object) -> list[str]:
        return [caller.name for caller in self._hooks.get_hookcallers(plugin) or ()]

    def _inspect(self, entry: PluginEntry) -> PluginRow:
        version, state, reason = self._judge(entry)
        return PluginRow(entry.group, entry.name, entry.distribution, entry.version, version, state, reason)

    def _judge(self, entry: PluginEntry) -> tuple[int | None, PluginState, str]:
        if entry.disabled:
            return None, PluginState.DISABLED, entry.disabled
        claims = self._claims(entry.group, entry.name)
        if len(claims) > 1:
            return None, PluginState.DUPLICATE, _claimed_by(claims)
        try:
            if entry.group == COMMANDS:
                gate.check_command(_import(entry, [entry.entry_point]))
                return None, PluginState.OK, ""
            loaded = self._loaded.get((entry.group, entry.name)) or self._admit_with_care(entry)
        except Unusable as error:
            return None, PluginState.BROKEN, str(error)
        self._loaded[entry.group, entry.name] = loaded
        return loaded.api_version, PluginState.OK, ""


class _Driver(DriverManager[object]):
    """stevedore's loader by name, looking only at the entry points that it is given."""

    def __init__(self, entry: PluginEntry, points: list[EntryPoint]) -> None:
        self._points = points
        super().__init__(entry.group, entry.name, on_load_failure_callback=_raise, on_missing_entrypoints_callback=None)

    def list_entry_points(self) -> list[EntryPoint]:
        return self._points


def _import(entry: PluginEntry, points: list[EntryPoint]) -> object:
    return import_with_care(entry.value, lambda: _Driver(entry, points).driver)


def _raise(manager: ExtensionManager[object], point: EntryPoint, error: BaseException) -> None:
    raise error


def _claimed_by(claims: Sequence[PluginEntry]) -> str:
    owners = " and ".join(f"{entry.distribution} {entry.version}" for entry in claims)
    return f"claimed by {owners}; uninstall one of them, or name the wanted ones in $BACKY2_PLUGINS"
