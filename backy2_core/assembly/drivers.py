"""Opens sources, targets, backends and transforms by name, with the settings of their sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from backy2_core.config.load import Config
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.contracts.snapshots import Snapshots
from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.contracts.transform import Transform
from backy2_core.errors import ConfigError
from backy2_core.plugins.discovery import DATA_BACKENDS, META_BACKENDS, SOURCES, TRANSFORMS
from backy2_core.plugins.registry import LoadedPlugin, PluginRegistry
from backy2_core.plugins.schemes import scheme_of
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying_meta import PATIENCE, RetryingMetaBackend

Parameters = dict[str, str | int]


class Drivers:
    """The drivers that a configuration selects. The registry's gate has checked what each hook returns."""

    def __init__(self, config: Config, plugins: PluginRegistry) -> None:
        self._config = config
        self._plugins = plugins

    def open_source(self, url: str) -> Source:
        """Open what ``url`` names for reading."""
        plugin, settings = self._source(url)
        return cast(Source, self._plugins.call(plugin, "backy2_open_source", url=url, settings=settings))

    def open_snapshots(self, url: str) -> Snapshots | None:
        """Open the snapshots of the device that ``url`` names; None where its source has none."""
        plugin, settings = self._source(url)
        if not self._plugins.offers(plugin, "backy2_open_snapshots"):
            return None
        return cast("Snapshots | None", self._plugins.call(plugin, "backy2_open_snapshots", url=url, settings=settings))

    def list_sources(self, pattern: str) -> Sequence[str] | None:
        """The URLs of all devices that ``pattern`` means; None where it names one device."""
        plugin, settings = self._source(pattern)
        if not self._plugins.offers(plugin, "backy2_list_sources"):
            return None
        found = self._plugins.call(plugin, "backy2_list_sources", pattern=pattern, settings=settings)
        return cast("Sequence[str] | None", found)

    def open_target(self, url: str, request: TargetRequest) -> Target:
        """Open or make what ``url`` names for a restore."""
        plugin, settings = self._source(url)
        target = self._plugins.call(plugin, "backy2_open_target", url=url, settings=settings, request=request)
        return cast(Target, target)

    def open_meta_backend(self) -> MetaBackend:
        """Open the database, retrying what may pass."""
        plugin, settings = self._configured(META_BACKENDS, self._config.type_of("meta_backend"), "meta_backend")
        meta = cast(MetaBackend, self._plugins.call(plugin, "backy2_open_meta_backend", settings=settings))
        return RetryingMetaBackend(meta, replace(PATIENCE, limit_s=self._config.core.retry_limit_s))

    def open_original(self, url: str | None) -> OriginalDatabase:
        """Open the database of an installation of the original; without a URL the one in our own database."""
        plugin, settings = self._configured(META_BACKENDS, self._config.type_of("meta_backend"), "meta_backend")
        return cast(OriginalDatabase, self._plugins.call(plugin, "backy2_open_original", settings=settings, url=url))

    def move_metadata(self, origin: str, destination: str, tell: Callable[[int, int], None]) -> Mapping[str, int]:
        """Move all that one database holds to another one; returns the numbers of rows by kind."""
        plugin, settings = self._configured(META_BACKENDS, self._config.type_of("meta_backend"), "meta_backend")
        moved = self._plugins.call(
            plugin, "backy2_move_metadata", settings=settings, origin=origin, destination=destination, tell=tell
        )
        return cast("Mapping[str, int]", moved)

    def open_data_backend(self) -> DataBackend:
        """Open the store, with the limits that its section sets, retrying what may pass."""
        # Imported here: listing versions opens no store.
        from backy2_core.wrappers.limited import LimitedDataBackend
        from backy2_core.wrappers.retrying import RetryingDataBackend
        from backy2_core.wrappers.throttled import ThrottledDataBackend

        plugin, settings = self._configured(DATA_BACKENDS, self._config.type_of("data_backend"), "data_backend")
        data = cast(DataBackend, self._plugins.call(plugin, "backy2_open_data_backend", settings=settings))
        reads, writes = settings.get("simultaneous_reads"), settings.get("simultaneous_writes")
        if reads and writes:
            data = LimitedDataBackend(data, reads=reads, writes=writes)
        read, write = settings.get("bandwidth_read") or 0, settings.get("bandwidth_write") or 0
        if read or write:
            data = ThrottledDataBackend(data, read_bytes_s=read, write_bytes_s=write)
        return RetryingDataBackend(data, Patience(limit_s=self._config.core.retry_limit_s))

    def make_transforms(self, names: Sequence[str], keyring: Keyring | None) -> list[tuple[str, Transform]]:
        """The steps of the configured chain. Raises :class:`ConfigError` for an order that cannot be meant."""
        steps = [(name, self._transform(name, None, keyring)) for name in names]
        _check_order(steps)
        return steps

    def opener_maker(self, keyring: Keyring | None) -> Callable[[str, Parameters], Transform]:
        """Makes the transform of a name that opens what was sealed with these parameters."""
        return lambda name, parameters: self._transform(name, parameters, keyring)

    def _transform(self, name: str, parameters: Parameters | None, keyring: Keyring | None) -> Transform:
        plugin, settings = self._configured(TRANSFORMS, name, f"transform:{name}")
        made = self._plugins.call(
            plugin, "backy2_make_transform", settings=settings, parameters=parameters, keyring=keyring
        )
        return cast(Transform, made)

    def _source(self, url: str) -> tuple[LoadedPlugin, dict[str, Any]]:
        scheme = scheme_of(url, self._plugins.known(SOURCES))
        return self._configured(SOURCES, scheme, f"source:{scheme}")

    def _configured(self, group: str, name: str, section: str) -> tuple[LoadedPlugin, dict[str, Any]]:
        plugin = self._plugins.load(group, name)
        return plugin, self._config.plugin_settings(section, self._plugins.settings(plugin))


def _check_order(steps: Sequence[tuple[str, Transform]]) -> None:
    encrypting = ""
    for name, step in steps:
        if encrypting and step.packs:
            raise ConfigError(
                f"Section [backy2], key transforms: {name} stands behind {encrypting}, but what is encrypted cannot be "
                f"compressed any more. Write {name} before {encrypting}."
            )
        encrypting = encrypting or (name if step.key else "")
