"""An installation: its configuration, its plugins, its database and its store, each opened when it is first used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property

from backy2_core.assembly.drivers import Drivers
from backy2_core.assembly.listeners import Listeners
from backy2_core.config.load import EMBEDDED, Config, load_config
from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.engine.chain import Chain
from backy2_core.engine.context import Engine, Options
from backy2_core.engine.progress import NoProgress, Progress
from backy2_core.engine.store import open_store
from backy2_core.errors import SchemaError
from backy2_core.plugins.registry import PluginRegistry


class Installation:
    """What one command works with. Everything it opened is closed by :func:`open_installation`."""

    def __init__(self, config: Config, progress: Progress, stack: ExitStack) -> None:
        self.config = config
        self.plugins = PluginRegistry()
        self._progress = progress
        self._stack = stack

    @cached_property
    def database(self) -> MetaBackend:
        """The database as it is, whatever its schema; for ``initdb``."""
        return self._stack.enter_context(self._drivers.open_meta_backend())

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
    def engine(self) -> Engine:
        """The engine, with the store open and its identity checked."""
        meta, core = self.meta, self.config.core
        data = self._stack.enter_context(self._drivers.open_data_backend())
        return Engine(
            meta=meta,
            data=data,
            store=open_store(meta, data, self.config.type_of("data_backend")),
            options=Options(
                block_size=core.block_size,
                hash_function=core.hash_function,
                deduplication=core.deduplication,
                workers=core.workers,
                buffer_bytes=core.buffer_bytes,
                flush_bytes=core.flush_bytes,
                sanity_check_blocks=core.sanity_check_blocks,
                lease_s=core.lease_s,
                abandon_incomplete_s=core.abandon_incomplete_s,
                rm_min_age_days=core.rm_min_age_days,
            ),
            chain=Chain(self._drivers.make_transforms(core.transforms), self._drivers.make_opener),
            open_source=self._drivers.open_source,
            open_target=self._drivers.open_target,
            notify=self._listeners.notify,
            progress=self._progress,
        )

    @cached_property
    def _drivers(self) -> Drivers:
        return Drivers(self.config, self.plugins)

    @cached_property
    def _listeners(self) -> Listeners:
        return self._stack.enter_context(Listeners(self.config, self.plugins))


@contextmanager
def open_installation(config_path: str | None = None, progress: Progress | None = None) -> Iterator[Installation]:
    """The installation that a configuration file describes; opens nothing yet, and closes at the end what was opened."""
    with ExitStack() as stack:
        yield Installation(load_config(config_path), progress or NoProgress(), stack)


_STEPS = {
    SchemaState.EMPTY: "The database {location} holds nothing of backy2 yet; `backy2 initdb` sets it up.",
    SchemaState.OLD: "The database {location} is of an earlier release; back it up, then `backy2 initdb` brings it up to date.",
    SchemaState.NEWER: "The database {location} is of a later release than this one; use that, or restore the copy made before it.",
}
