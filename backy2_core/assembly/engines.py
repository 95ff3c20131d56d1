"""Builds the engine for the commands that need one."""

from __future__ import annotations

from contextlib import ExitStack

from backy2_core.assembly.drivers import Drivers
from backy2_core.assembly.listeners import Listeners
from backy2_core.config.core import CoreSettings
from backy2_core.config.load import Config
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.keyring import Keyring
from backy2_core.engine.chain import Chain
from backy2_core.engine.checksums import Checksums
from backy2_core.engine.context import Engine, Options
from backy2_core.engine.key_opening import KeyRoom
from backy2_core.engine.progress import NoProgress, Progress
from backy2_core.engine.seals import Seals
from backy2_core.plugins.registry import PluginRegistry


def build_engine(
    config: Config,
    plugins: PluginRegistry,
    drivers: Drivers,
    keys: KeyRoom,
    progress: Progress | None,
    stack: ExitStack,
) -> Engine:
    """Open the keyring of the store, make the listeners, and put the engine together; ``stack`` closes the listeners."""
    core = config.core
    keyring = keys.keyring()
    persistent = keys.place.data.capabilities.persistent
    # What keeps nothing has a new key each time.
    seals = Seals(keyring if persistent else None, keys.place.data, trust_unsealed=core.trust_clear_copies)
    return Engine(
        meta=keys.place.meta,
        data=_sealing(keys.place.data, keyring, trust_clear=core.trust_clear_copies),
        store=keys.place.store,
        options=_options(core),
        chain=Chain(drivers.make_transforms(core.transforms, keyring), drivers.opener_maker(keyring)),
        open_source=drivers.open_source,
        open_target=drivers.open_target,
        open_snapshots=drivers.open_snapshots,
        notify=stack.enter_context(Listeners(config, plugins)).notify,
        progress=progress or NoProgress(),
        keyring=keyring,
        checksums=Checksums(keyring),
        seals=seals,
    )


def _sealing(data: DataBackend, keyring: Keyring | None, *, trust_clear: bool) -> DataBackend:
    if keyring is None:
        return data
    # Imported here: only encrypted stores need the library.
    from backy2_core.wrappers.sealed_documents import SealedDocumentsDataBackend

    return SealedDocumentsDataBackend(data, keyring, trust_clear=trust_clear)


def _options(core: CoreSettings) -> Options:
    return Options(
        block_size=core.block_size,
        hash_function=core.hash_function,
        deduplication=core.deduplication,
        workers=core.workers,
        buffer_bytes=core.buffer_bytes,
        flush_bytes=core.flush_bytes,
        sanity_check_blocks=core.sanity_check_blocks,
        keep_snapshots=core.keep_snapshots,
        lease_s=core.lease_s,
        same_name=core.same_name,
        abandon_incomplete_s=core.abandon_incomplete_s,
        rm_min_age_days=core.rm_min_age_days,
        allow_clear=core.allow_clear,
        clear_base=core.clear_base,
        metadata_copies=core.metadata_copies,
        host=core.host,
    )
