"""What every job of the engine works with."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.snapshots import Snapshots
from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.engine.chain import Chain
from backy2_core.engine.checksums import Checksums
from backy2_core.engine.progress import NoProgress, Progress
from backy2_core.engine.seals import Seals
from backy2_core.model.blob import StoreId
from backy2_core.model.block import DEFAULT_BLOCK_SIZE
from backy2_core.model.event import Event


@dataclass(frozen=True, slots=True)
class Options:
    """The engine's own settings, see ``plugins.cfg.example``. Sizes in bytes, times in seconds."""

    block_size: int = DEFAULT_BLOCK_SIZE
    hash_function: str = "blake3"
    deduplication: bool = True
    workers: int = 0
    """0: as many as the machine has cores, at least 2."""
    buffer_bytes: int = 48 * 1024 * 1024
    flush_bytes: int = 256 * 1024 * 1024
    sanity_check_blocks: int = 10
    keep_snapshots: int = 1
    lease_s: float = 300.0
    abandon_incomplete_s: float = 7 * 86400.0
    rm_min_age_days: float = 0.0
    metadata_copies: bool = True
    allow_clear: bool = False
    clear_base: str = "keep"
    same_name: str = "side_by_side"
    """wait, refuse or side_by_side: what becomes of a backup while another one of the same name runs."""
    host: str = field(default_factory=socket.gethostname)

    @property
    def worker_count(self) -> int:
        """Number of worker threads."""
        return self.workers or max(2, os.cpu_count() or 2)


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a job needs, put together by the assembly. Holds no state of its own."""

    meta: MetaBackend
    data: DataBackend
    store: StoreId
    options: Options
    chain: Chain
    open_source: Callable[[str], Source]
    open_target: Callable[[str, TargetRequest], Target]
    open_snapshots: Callable[[str], Snapshots | None] = lambda url: None
    """None for a source without snapshots, as by default."""
    notify: Callable[[Event], None] = lambda event: None
    progress: Progress = field(default_factory=NoProgress)
    keyring: Keyring | None = None
    """The secrets of the store; None for one that is not encrypted."""
    checksums: Checksums = field(default_factory=Checksums)
    """Made with that keyring."""
    seals: Seals = field(default_factory=Seals)
    """Made with that keyring too."""
