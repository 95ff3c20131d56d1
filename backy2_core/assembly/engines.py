"""Builds the engine for the commands that need one."""

from __future__ import annotations

from contextlib import ExitStack

from backy2_core.assembly.drivers import Drivers
from backy2_core.assembly.listeners import Listeners
from backy2_core.config.core import CoreSettings
from backy2_core.config.load import Config
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.chain import Chain
from backy2_core.engine.context import Engine, Options
from backy2_core.engine.progress import NoProgress, Progress
from backy2_core.engine.store import open_store
from backy2_core.plugins.registry import PluginRegistry


def build_engine(
    config: Config,
    plugins: PluginRegistry,
    drivers: Drivers,
    meta: MetaBackend,
    progress: Progress | None,
    stack: ExitStack,
) -> Engine:
    """Open the store, check its identity, make the listeners, and put the engine together; ``stack`` closes it all."""
    core = config.core
    data = stack.enter_context(drivers.open_data_backend())
    return Engine(
        meta=meta,
        data=data,
        store=open_store(meta, data, config.type_of("data_backend")),
        options=_options(core),
        chain=Chain(drivers.make_transforms(core.transforms), drivers.make_opener),
        open_source=drivers.open_source,
        open_target=drivers.open_target,
        notify=stack.enter_context(Listeners(config, plugins)).notify,
        progress=progress or NoProgress(),
    )


def _options(core: CoreSettings) -> Options:
    return Options(
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
        allow_clear=core.allow_clear,
        clear_base=core.clear_base,
        metadata_copies=core.metadata_copies,
    )
