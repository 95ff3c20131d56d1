"""Checking that a version can be restored, and optionally that it equals its source."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

from backy2_core.contracts.source import Source
from backy2_core.engine.compare import SourceComparison
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import UNMARKED, DamageReport, mark_damage, trusted_map
from backy2_core.engine.fetch import Fetcher
from backy2_core.engine.inventory import Item, SparseBlocks, StoredBlock, inventory
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.lookup import get_version
from backy2_core.engine.proof import prove_keys
from backy2_core.engine.requests import ScrubRequest, ScrubResult
from backy2_core.engine.retrieval import Retrieval
from backy2_core.engine.stored_map import StoredMap
from backy2_core.errors import UsageError
from backy2_core.model.blob import BlobId, BlobState
from backy2_core.model.event import ScrubFinished
from backy2_core.model.job import JobKind, Use
from backy2_core.model.version import FINISHED, VersionState


def scrub(engine: Engine, request: ScrubRequest) -> ScrubResult:
    """Check the blocks of a version against their checksums, and against the source where one is given.

    Proven damage is marked in the database, for every version that shares the blob. A full scrub that finds all right makes
    a damaged version valid again; one of a sample never does. Differences to the source mark nothing.
    """
    if not 0 < request.percent <= 100:
        raise UsageError(f"A scrub of {request.percent} percent cannot be meant; give 1 to 100.")
    began = time.monotonic()
    version = get_version(engine.meta, request.uid)
    description = f"{version.uid} ({version.name})"
    with running_job(engine, JobKind.SCRUB, description, (Use(version.uid, FINISHED),), name=version.name) as lease:
        stored_map = trusted_map(engine, version)
        prove_keys(engine, stored_map)
        with ExitStack() as stack:
            source = stack.enter_context(engine.open_source(request.source)) if request.source else None
            scrubbing = _Scrubbing(engine, lease, stored_map, request, source)
            scrubbing.run()
            scrubbing.mark()
            if source is not None:
                source.confirm()
    report, comparison = scrubbing.report, scrubbing.comparison
    duration_s = time.monotonic() - began
    engine.notify(ScrubFinished(version, scrubbing.checked, report.count, comparison.count, duration_s))
    damage, differences = report.damage, tuple(sorted(comparison.named))
    return ScrubResult(version, scrubbing.checked, report.count, comparison.count, damage, differences, duration_s)


class _Scrubbing:
    """One scrub under way."""

    def __init__(
        self, engine: Engine, lease: Lease, stored_map: StoredMap, request: ScrubRequest, source: Source | None
    ) -> None:
        version = stored_map.version
        self.checked = 0
        self.report = DamageReport(version, engine.notify)
        self.comparison = SourceComparison(source, version)
        self._engine = engine
        self._lease = lease
        self._version = version
        self._map = stored_map
        self._percent = request.percent
        self._mended: list[tuple[BlobId, int]] = []
        self._found: list[tuple[BlobId, int]] = []

    def run(self) -> None:
        """Check every block, or those drawn."""
        engine, version = self._engine, self._version
        fetcher = Fetcher(engine.data, engine.chain, engine.checksums, self.comparison.compare_stored)
        retrieval = Retrieval(engine, self._lease, version.geometry, fetcher, self.report)
        retrieval.on_whole = self._whole
        retrieval.on_sparse = self._sparse
        threads = max(engine.options.worker_count, engine.data.capabilities.threads)
        engine.progress.begin(f"Scrubbing Version {version.uid}", version.geometry.size_bytes, "B")
        try:
            retrieval.run(self._drawn(inventory(engine.meta, self._map)), threads)
        finally:
            engine.progress.finish()

    def mark(self) -> None:
        """Write down what was found."""
        meta, version = self._engine.meta, self._version
        # What was read and is whole is sound, whatever the rest of the version is.
        meta.set_blob_state([blob for blob, _ in self._mended], BlobState.UNSEEN, BlobState.DAMAGED)
        meta.mark_seen([*self._mended, *self._found])
        if self.report.count:
            mark_damage(meta, version, self.report.blobs)
            return
        if self._percent == 100 and version.state is VersionState.DAMAGED:
            meta.set_version_state(version.id, VersionState.VALID, UNMARKED)
            self._look_again()

    def _look_again(self) -> None:
        """Another job may have proven a shared blob damaged after it was checked here."""
        for item in inventory(self._engine.meta, self._map):
            if isinstance(item, StoredBlock) and item.record.state is BlobState.DAMAGED:
                mark_damage(self._engine.meta, self._version, [item.record.id])
                return

    def _drawn(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            if self._percent == 100 or isinstance(item, SparseBlocks) or random.randrange(100) < self._percent:
                yield item

    def _whole(self, block: StoredBlock, stored_size: int) -> None:
        self.checked += 1
        if block.record.state is BlobState.DAMAGED:
            self._mended.append((block.record.id, stored_size))
        elif block.record.state is BlobState.UNSEEN:
            self._found.append((block.record.id, stored_size))

    def _sparse(self, blocks: SparseBlocks) -> None:
        self.checked += blocks.stop - blocks.start
        self.comparison.compare_sparse(blocks)
