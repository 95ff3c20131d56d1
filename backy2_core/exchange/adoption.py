"""Taking over an installation of the original: its database is read, its blobs stay where they are in the store.

Nothing of the original's is changed, so it may go on working; running the adoption again adds what is new. What its database
says of a version is believed as far as it does not contradict itself: a row that cannot be right costs its own block, which is
then lost, and its version is damaged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from backy2_core.contracts.original import OriginalDatabase
from backy2_core.engine.context import Engine
from backy2_core.engine.foreign import begin_take_over, finish_take_over
from backy2_core.engine.lease import running_job
from backy2_core.engine.stored_map import batches
from backy2_core.engine.survey import Survey, survey
from backy2_core.errors import ExchangeError, RefusedError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock
from backy2_core.exchange.inspection import Defaults, Inspection
from backy2_core.exchange.inspection import Survey as Findings
from backy2_core.exchange.translation import arriving_blocks, arriving_version
from backy2_core.exchange.translation import survey as inspect
from backy2_core.model.job import JobKind
from backy2_core.model.original import OriginalBlock, OriginalVersion, Unreadable
from backy2_core.model.segment import block_ids
from backy2_core.model.version import Statistics, Version, VersionFilter, VersionId, VersionState

log = logging.getLogger(__name__)

_BATCH = 64
_STATISTICS = 1000

HERE = "here already"
GIVEN_UP = "given up here"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AdoptedVersion:
    """What became of one version of the original, or would become of it.

    ``outcome`` is ``valid`` or ``damaged`` for one that came over, :data:`HERE` for one that did earlier, :data:`GIVEN_UP`
    for one that was removed here since, or :data:`FAILED`. ``lost`` counts blocks that the original's database lacks.
    """

    uid: str
    name: str
    snapshot_name: str
    date: datetime | None
    outcome: str
    blocks: int
    lost: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an adoption did, or would do. ``store`` is what was found in the store afterwards; None in a dry run."""

    versions: tuple[AdoptedVersion, ...]
    statistics: int
    store: Survey | None


def adopt(engine: Engine, original: OriginalDatabase, *, dry_run: bool = False) -> Adoption:
    """Take over every version of ``original`` that is not here yet, all statistics, and look for the blobs in the store.

    A version that fails is reported in the result, the others are taken over all the same.
    """
    if not dry_run:
        begin_take_over(engine.data)
    adopting = _Adopting(engine, original, dry_run)
    versions = [adopting.take(version) for version in original.versions()]
    if dry_run:
        return Adoption(tuple(versions), 0, None)
    added = sum(engine.meta.add_statistics(batch) for batch in batches(_readable(original), _STATISTICS))
    with running_job(engine, JobKind.SCRUB, "looking for the blobs that were taken over") as lease:
        found = survey(engine, lease, mark=True)
    return Adoption(tuple(_with_states(engine, versions)), added, found)


def finish(engine: Engine, original: OriginalDatabase | None) -> None:
    """Declare that the original is not used any more: from now on cleanups delete its blobs too, once no version needs them.

    Refused while ``original`` (where it still is) has versions that were never taken over.
    """
    here = {version.uid for version in engine.meta.versions(_EVERYTHING) if version.digest}
    there = original.versions() if original else iter(())
    missing = [version.uid for version in there if isinstance(version, OriginalVersion) and version.uid not in here]
    if missing:
        raise RefusedError(
            f"{len(missing)} versions of {original.location if original else ''} are not here, such as {missing[0]}. Their"
            " blobs would be nobody's. Run `backy2 adopt` again first."
        )
    finish_take_over(engine.data)


def _readable(original: OriginalDatabase) -> Iterator[Statistics]:
    for entry in original.statistics():
        if isinstance(entry, Unreadable):
            log.warning("Statistics of %s are left out: %s", entry.what, entry.reason)
        else:
            yield entry


class _Adopting:
    """One adoption under way."""

    def __init__(self, engine: Engine, original: OriginalDatabase, dry_run: bool) -> None:
        self._engine = engine
        self._original = original
        self._dry_run = dry_run
        self._defaults = Defaults(engine.options.block_size, engine.options.hash_function)
        self._here: dict[str, Version] = {version.uid: version for version in engine.meta.versions(_EVERYTHING)}

    def take(self, version: OriginalVersion | Unreadable) -> AdoptedVersion:
        """Take over one version, unless it is here."""
        if isinstance(version, Unreadable):
            log.error("Version %s was not taken over, its row cannot be understood: %s", version.what, version.reason)
            return AdoptedVersion(version.what, "", "", None, FAILED, 0, note=version.reason)
        here = self._here.get(version.uid)
        if here is not None and here.digest:
            if here.state.is_gone:
                return _outcome(version, GIVEN_UP)
            if not (version.valid and here.state is VersionState.DAMAGED and self._lacks_blocks(here.id)):
                return _outcome(version, HERE)
        try:
            return self._take_new(version, here)
        except ExchangeError as error:
            log.error("Version %s of %s was not taken over: %s", version.uid, version.name, error)
            return _outcome(version, FAILED, note=str(error))

    def _take_new(self, version: OriginalVersion, here: Version | None) -> AdoptedVersion:
        findings, note = self._examine(version)
        arriving = arriving_version(findings)
        if not self._dry_run:
            if here is not None and not here.state.is_gone:
                # It was incomplete when it came, and was finished since.
                self._engine.meta.remove_version(here.id, protected_too=True)
            description = f"{version.uid} ({version.name}) from {self._original.location}"
            with running_job(self._engine, JobKind.IMPORT, description) as lease:
                rows = _usable(findings.version, self._rows(findings.version), self._defaults)
                blocks = arriving_blocks(findings, rows, self._defaults, self._original.location)
                arrive(self._engine, lease, arriving, self._counted(version, blocks))
        outcome = VersionState.DAMAGED if arriving.damaged else VersionState.VALID
        log.info("Version %s of %s: %s", version.uid, version.name, note or outcome.name.lower())
        return _outcome(version, outcome.name.lower(), lost=findings.missing, note=note)

    def _examine(self, version: OriginalVersion) -> tuple[Findings, str]:
        """Look at all rows; where they do not fit together, at those that do."""
        where = self._original.location
        try:
            findings = inspect(version, self._rows(version), self._defaults, where)
            return findings, "the original held it for damaged" if findings.damaged else ""
        except ExchangeError as error:
            usable = replace(version, valid=False)
            rows = _usable(usable, self._rows(usable), self._defaults)
            findings = inspect(usable, rows, self._defaults, where)
            return findings, f"{findings.missing} blocks are lost: {error}"

    def _rows(self, version: OriginalVersion) -> Iterator[tuple[int, OriginalBlock]]:
        """The rows of a version. An unreadable one is an error where all must fit, and else costs its block."""
        for block in self._original.blocks(version.uid):
            if not isinstance(block, Unreadable):
                yield 0, block
            elif version.valid:
                raise ExchangeError(f"{self._original.location}, version {version.uid}, {block.what}: {block.reason}.")
            else:
                log.warning("Version %s, %s: %s; the block is lost", version.uid, block.what, block.reason)

    def _counted(self, version: OriginalVersion, blocks: Iterable[ArrivingBlock]) -> Iterator[ArrivingBlock]:
        progress = self._engine.progress
        progress.begin(f"Adopting Version {version.uid}", version.size_blocks, "blocks")
        try:
            for count, block in enumerate(blocks):
                progress.advance(count)
                yield block
        finally:
            progress.finish()

    def _lacks_blocks(self, version: VersionId) -> bool:
        meta = self._engine.meta
        for segments in batches(meta.read_map(version), _BATCH):
            if any(-1 in block_ids(segment.data) for segment in meta.read_segments(set(segments)).values()):
                return True
        return False


_EVERYTHING = VersionFilter(states=frozenset(VersionState))


def _usable(
    version: OriginalVersion, rows: Iterable[tuple[int, OriginalBlock]], defaults: Defaults
) -> Iterator[tuple[int, OriginalBlock]]:
    """The rows that can be right; of a version that is valid all of them, since it was looked at already."""
    if version.valid:
        yield from rows
        return
    inspection = Inspection(version, defaults, "")
    for line, block in rows:
        try:
            inspection.take(block, line)
        except ExchangeError as error:
            log.warning("Version %s%s; the block is lost", version.uid, error)
        else:
            yield line, block


def _outcome(version: OriginalVersion, outcome: str, *, lost: int = 0, note: str = "") -> AdoptedVersion:
    return AdoptedVersion(
        version.uid, version.name, version.snapshot_name, version.date, outcome, version.size_blocks, lost, note
    )


def _with_states(engine: Engine, versions: Iterable[AdoptedVersion]) -> Iterator[AdoptedVersion]:
    """The outcomes with what the look at the store has shown since."""
    damaged = {version.uid for version in engine.meta.versions(VersionFilter(states=frozenset({VersionState.DAMAGED})))}
    for version in versions:
        came = version.outcome == VersionState.VALID.name.lower()
        lacking = came and version.uid in damaged
        yield replace(version, outcome="damaged", note="blobs are missing in the store") if lacking else version
