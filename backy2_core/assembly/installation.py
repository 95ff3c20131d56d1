"""An installation: its configuration, its plugins, its database and its store, each opened when it is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from backy2_core.assembly.drivers import Drivers
from backy2_core.config.load import EMBEDDED, Config
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.errors import SchemaError
from backy2_core.plugins.discovery import LISTENERS, SOURCES, TRANSFORMS
from backy2_core.plugins.registry import PluginRegistry
from backy2_core.plugins.switches import check_switches, configured_registry

if TYPE_CHECKING:
    from backy2_core.engine.context import Engine
    from backy2_core.engine.key_opening import KeyRoom
    from backy2_core.engine.progress import Progress


class Installation:
    """What one command works with. Everything it opened is closed by :func:`open_installation`."""

    def __init__(self, config: Config, plugins: PluginRegistry, progress: Progress | None, stack: ExitStack) -> None:
        self.config = config
        self.plugins = plugins
        self._progress = progress
        self._stack = stack

    @cached_property
    def database(self) -> MetaBackend:
        """The database as it is, whatever its schema; for ``initdb``."""
        return self._stack.enter_context(self._drivers.open_meta_backend())

    def set_up(self) -> None:
        """Set an empty database up; for what may well be the first command of an installation."""
        if self.database.schema_state() is SchemaState.EMPTY:
            self.database.initialise()

    def open_original(self, url: str | None) -> OriginalDatabase:
        """The database of an installation of the original, to be closed by the caller."""
        return self._drivers.open_original(url)

    def list_sources(self, pattern: str) -> Sequence[str] | None:
        """The URLs of all devices that ``pattern`` means; None where it names one device."""
        return self._drivers.list_sources(pattern)

    def move_metadata(self, origin: str, destination: str) -> Mapping[str, int]:
        """Move all that the database ``origin`` holds to ``destination``; returns the numbers of rows by kind."""
        progress = self._progress
        if progress is None:
            return self._drivers.move_metadata(origin, destination, lambda done, total: None)
        progress.begin("Moving metadata", 100, "%")
        try:
            return self._drivers.move_metadata(
                origin, destination, lambda done, total: progress.advance(100 * done // max(total, 1))
            )
        finally:
            progress.finish()

    @cached_property
    def meta(self) -> MetaBackend:
        """The database, with a current schema. Under the embedded defaults an empty one is set up at once.

        Raises :class:`SchemaError` for any other that is empty, old or too new, with the next step.
        """
        database = self.database
        state = database.schema_state()
        if state is SchemaState.EMPTY and self.config.origin == EMBEDDED:
            database.initialise()
        elif state is not SchemaState.CURRENT:
            raise SchemaError(_STEPS[state].format(location=database.location))
        return database

    @cached_property
    def data(self) -> DataBackend:
        """The store as it is found, before anything is known of its identity."""
        return self._stack.enter_context(self._drivers.open_data_backend())

    @cached_property
    def keys(self) -> KeyRoom:
        """The master keys, and where the store keeps what they open. The store is open then, and its identity checked."""
        # Imported here, and below: listing versions needs no store and no engine, and should not wait for them.
        from backy2_core.assembly.keys import configured_keys, is_sealed
        from backy2_core.engine.key_opening import KeyRoom
        from backy2_core.engine.key_place import KeyPlace
        from backy2_core.engine.store import open_store

        meta = self.meta  # first: under the embedded defaults it makes the folder of the store, too
        store = open_store(meta, self.data, self.config.type_of("data_backend"))
        place, config = KeyPlace(meta, self.data, store, self.config.core.host), self.config
        return KeyRoom(place, configured_keys(config), config.makes_keys, is_sealed)

    @cached_property
    def engine(self) -> Engine:
        """The engine, with the store and its keyring open."""
        from backy2_core.assembly.engines import build_engine

        return build_engine(self.config, self.plugins, self._drivers, self.keys, self._progress, self._stack)

    @cached_property
    def _drivers(self) -> Drivers:
        return Drivers(self.config, self.plugins)


@contextmanager
def open_installation(
    config: Config, plugins: PluginRegistry | None = None, progress: Progress | None = None
) -> Iterator[Installation]:
    """The installation that a configuration describes; opens nothing yet, and closes at the end what was opened."""
    plugins = plugins or configured_registry(config)
    check_switches(config)
    for kind, group in (("source", SOURCES), ("transform", TRANSFORMS), ("listener", LISTENERS)):
        config.check_names(kind, {entry.name for entry in plugins.entries if entry.group == group})
    with ExitStack() as stack:
        yield Installation(config, plugins, progress, stack)


_STEPS = {
    SchemaState.EMPTY: "The database {location} holds nothing of backy2 yet; `backy2 initdb` sets it up.",
    SchemaState.OLD: (
        "The database {location} is of an earlier release; make a copy of it, then `backy2 initdb` brings it up to date."
    ),
    SchemaState.MOVED: (
        "The database {location} was moved to another one by `backy2 move-metadata`; name that one in [meta_backend]."
    ),
    SchemaState.NEWER: (
        "The database {location} is of a later release than this one; use that, or restore the copy made before it."
    ),
}
