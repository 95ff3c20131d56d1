"""The configuration as the rest of the program sees it."""

from __future__ import annotations

import difflib
import logging
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from backy2_core.config import legacy
from backy2_core.config.core import CORE_SETTINGS, CoreSettings, core_settings
from backy2_core.config.interpolation import expand, reaches_outside, readable_by_others
from backy2_core.config.keys import KEY_SETTINGS, KEY_TEXTS, check_key_id
from backy2_core.config.places import data_folder, find_config
from backy2_core.config.sections import VARIABLES, Section, read_sections, translate
from backy2_core.config.values import parse_value
from backy2_core.contracts.settings import Setting, SettingType
from backy2_core.errors import ConfigError
from backy2_core.model.secret import Secret

log = logging.getLogger(__name__)

EMBEDDED = "embedded defaults"
DEFAULT_TYPES = {"data_backend": "file", "meta_backend": "sql"}
SCHEDULE_SETTINGS = (
    Setting("interval", SettingType.DURATION, None, "Time between two backups.", required=True, minimum=1),
    Setting(
        "keep", SettingType.INTEGER, None, "How many backups are kept; 0 switches it off.", required=True, minimum=0
    ),
    Setting("sla", SettingType.DURATION, None, "How late a backup may be.", required=True, minimum=0),
)


class MissingSettingError(ConfigError):
    """A setting that the plugin cannot do without is not there; what is there may be right."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often backups with a tag of this name are made, how many are kept, and how late one may be."""

    name: str
    interval_s: float
    keep: int
    sla_s: float


class Config:
    """A configuration whose sections are all known; values are evaluated when they are asked for, each time anew.

    Every method raises :class:`ConfigError`, which names file, section and key.
    """

    def __init__(self, origin: str, sections: Mapping[str, Section], *, exposed: bool = False) -> None:
        self._origin = origin
        self._exposed = exposed
        self._embedded = _embedded_sections().keys() - sections.keys()
        self._sections = {**_embedded_sections(), **sections}
        self._core = self._read_core()
        self._keys = self._find_keys()
        for name in self._named("schedule"):
            self._check_keys(self._sections[f"schedule:{name}"], SCHEDULE_SETTINGS)
        for name in self._named("formatter"):
            if self._sections[f"formatter:{name}"].values:
                where = self._where(self._sections[f"formatter:{name}"])
                raise ConfigError(f"{where}: formatters have no settings; their options stand on the command line")

    @property
    def origin(self) -> str:
        """Name of the file, or ``embedded defaults``."""
        return self._origin

    @property
    def core(self) -> CoreSettings:
        """Section ``[backy2]``."""
        return self._core

    @property
    def notices(self) -> list[str]:
        """What the user should be warned of: keys that stand in a file that others may read."""
        return [
            f"{self._where(section, key)}: other users may read this file and so the key; chmod 600 {shlex.quote(self._origin)}"
            for section in (self._sections.values() if self._exposed else ())
            for key, text in section.values.items()
            if _is_key(section, key) and not reaches_outside(text)
        ]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the master keys, in the order of their sections; the original's key last."""
        return tuple(self._keys)

    @property
    def makes_keys(self) -> bool:
        """True if a store that has no keys yet is to get some, which these master keys open."""
        original = self._keys.get(legacy.MASTER_KEY)
        ours = [section for section, _ in self._keys.values() if section is not self._section("backy2")]
        return bool(ours) or (original is not None and legacy.encrypts(original[0].values))

    def key_place(self, key_id: str) -> str:
        """Where a master key stands, for messages."""
        return self._where(*self._keys[key_id])

    def key_secret(self, key_id: str) -> Secret:
        """The text of a master key, read at each call. Raises :class:`ConfigError` for one that is not there, too."""
        if key_id not in self._keys:
            known = ", ".join(self._keys) or "none"
            raise ConfigError(
                f"{self._origin}: no key {key_id!r} is configured; configured are: {known}. Add a section [key:{key_id}]."
            )
        return Secret(self._expand(*self._keys[key_id]).strip())

    def type_of(self, section: str) -> str:
        """The name of the plugin that ``data_backend`` or ``meta_backend`` asks for."""
        found = self._section(section)
        if "type" not in found.values:
            return DEFAULT_TYPES[section]
        return legacy.plugin_name(section, self._expand(found, "type").strip())

    def plugin_settings(self, section: str, declared: Sequence[Setting]) -> dict[str, Any]:
        """The values of a plugin's section (``data_backend``, ``source:file``): every declared setting is in it.

        A key that is not declared is an error, and so is a required one that is missing (:class:`MissingSettingError`).
        """
        found = self._section(section)
        self._check_keys(found, declared)
        return {setting.name: self._value(found, setting) for setting in declared}

    def in_force(self, section: str, setting: Setting) -> tuple[Any, str]:
        """The value of one setting of a plugin's section, and where it comes from, in words for people.

        None for one that cannot be had; then the words say why.
        """
        found = self._section(section)
        holder = found.elsewhere.get(setting.name, found)
        key = next((key for key in (setting.name, *setting.aliases) if key in holder.values), None)
        try:
            value = self._value(found, setting)
        except ConfigError as error:
            return None, str(error)
        place = EMBEDDED if section in self._embedded else self._where(holder, key)
        return value, "default" if key is None else place

    def schedules(self) -> list[Schedule]:
        """The schedules by name."""
        out = []
        for name in self._named("schedule"):
            values = self.plugin_settings(f"schedule:{name}", SCHEDULE_SETTINGS)
            out.append(Schedule(name, values["interval"], values["keep"], values["sla"]))
        return out

    def check_names(self, kind: str, known: Collection[str]) -> None:
        """Refuse a section ``[kind:name]`` of a plugin that is not among the ``known`` names.

        Sections of the original are left alone: it named its sources whether they were installed or not.
        """
        for name in self._named(kind):
            section = self._sections[f"{kind}:{name}"]
            if name not in known and section.written == section.name:
                hint = _nearest(name, known)
                raise ConfigError(f"{self._where(section)}: no {kind} {name!r} is installed. {hint}")

    def _find_keys(self) -> dict[str, tuple[Section, str]]:
        """Section and key of each master key, by id."""
        found = {}
        for name, section in self._sections.items():
            kind, _, key_id = name.partition(":")
            if kind != "key":
                continue
            self._check_keys(section, KEY_SETTINGS)
            try:
                check_key_id(key_id)
            except ValueError as error:
                raise ConfigError(f"{self._where(section)}: {error}") from error
            if KEY_SETTINGS[0].name not in section.values:
                raise MissingSettingError(
                    f"{self._where(section, KEY_SETTINGS[0].name)} is missing: {KEY_SETTINGS[0].help}"
                )
            found[key_id] = (section, KEY_SETTINGS[0].name)
        core = self._section("backy2")
        if core.written in legacy.SECTIONS and legacy.MASTER_KEY in core.values:
            if legacy.MASTER_KEY in found:
                raise ConfigError(
                    f"{self._where(core)} and [key:{legacy.MASTER_KEY}] hold a key of the same id; rename one"
                )
            found[legacy.MASTER_KEY] = (core, legacy.MASTER_KEY)
        return found

    def _named(self, kind: str) -> list[str]:
        prefix = f"{kind}:"
        return sorted(name.removeprefix(prefix) for name in self._sections if name.startswith(prefix))

    def _section(self, name: str) -> Section:
        return self._sections.get(name) or Section(name, name, {})

    def _read_core(self) -> CoreSettings:
        section = self._section("backy2")
        try:
            return core_settings(self.plugin_settings("backy2", CORE_SETTINGS))
        except ValueError as error:
            raise ConfigError(f"{self._where(section)}: {error}") from error

    def _check_keys(self, section: Section, declared: Sequence[Setting]) -> None:
        known = {name for setting in declared for name in (setting.name, *setting.aliases)}
        if section.name in DEFAULT_TYPES:
            known.add("type")
        for key in section.values:
            reason = legacy.IGNORED_KEYS.get((section.written, key))
            if key in known or (section.written, key) in legacy.MOVED_KEYS:
                continue
            if reason is None:
                raise ConfigError(f"{self._where(section, key)} is not known. {_nearest(key, known)}")
            log.debug("%s is not used: %s", self._where(section, key), reason)

    def _value(self, section: Section, setting: Setting) -> Any:
        if setting.name in section.elsewhere:
            return self._parse(section.elsewhere[setting.name], setting.name, setting)
        keys = [key for key in (setting.name, *setting.aliases) if key in section.values]
        if len(keys) > 1:
            raise ConfigError(f"{self._where(section)}: keys {' and '.join(keys)} mean the same; keep one")
        if keys:
            return self._parse(section, keys[0], setting)
        if setting.required:
            raise MissingSettingError(f"{self._where(section, setting.name)} is missing: {setting.help}")
        return setting.default

    def _parse(self, section: Section, key: str, setting: Setting) -> Any:
        text = self._expand(section, key)
        try:
            return parse_value(setting, text)
        except ValueError as error:
            self._fail(section, key, error)

    def _expand(self, section: Section, key: str) -> str:
        variables = self._section(VARIABLES).values
        try:
            return expand(section.values[key], {**variables, **section.values}, private=_is_key(section, key))
        except ValueError as error:
            self._fail(section, key, error)

    def _fail(self, section: Section, key: str, error: ValueError) -> NoReturn:
        raise ConfigError(f"{self._where(section, key)}: {error}") from error

    def _where(self, section: Section, key: str | None = None) -> str:
        return f"{self._origin}, section [{section.written}]" + (f", key {key}" if key else "")


def load_config(path: str | None) -> Config:
    """Read the one file that counts (see :func:`backy2_core.config.places.find_config`), or use the embedded defaults."""
    found = find_config(path)
    if found is None:
        return Config(EMBEDDED, {})
    return Config(str(found), read_sections(found), exposed=readable_by_others(found.stat()))


def _embedded_sections() -> dict[str, Section]:
    """A file data backend and an SQLite database in the user's data folder."""
    folder = str(data_folder()).replace("%", "%%")
    return translate(
        EMBEDDED,
        {
            "data_backend": {"type": "file", "path": f"{folder}/data"},
            "meta_backend": {"type": "sql", "engine": f"sqlite:///{folder}/backy2.sqlite"},
        },
    )


def _is_key(section: Section, key: str) -> bool:
    return key in KEY_TEXTS or (section.name.startswith("key:") and key == KEY_SETTINGS[0].name)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(names) or 'none'}."
