"""What is to become of each version of the original, decided before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.engine.stored_map import batches
from backy2_core.errors import BackyError, ExchangeError
from backy2_core.exchange.inspection import Defaults, Findings, Inspection
from backy2_core.exchange.translation import inspect_version
from backy2_core.model.blob import LOST
from backy2_core.model.original import OriginalBlock, OriginalVersion, Unreadable
from backy2_core.model.segment import block_ids
from backy2_core.model.version import Version, VersionFilter, VersionId, VersionState

log = logging.getLogger(__name__)

EVERYTHING = VersionFilter(states=frozenset(VersionState))

_BATCH = 64

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
class Decision:
    """What is to become of a version. Without ``findings`` nothing is taken over."""

    outcome: AdoptedVersion
    findings: Findings | None = None
    here: Version | None = None


class Deciding:
    """Looks at each version of the original, and decides; changes nothing."""

    def __init__(self, original: OriginalDatabase, defaults: Defaults, meta: MetaBackend | None) -> None:
        self._original = original
        self._defaults = defaults
        self._meta = meta
        known = meta.versions(EVERYTHING) if meta is not None else iter(())
        self._here: dict[str, Version] = {version.uid: version for version in known}

    def decide(self, version: OriginalVersion | Unreadable) -> Decision:
        """What is to become of this one."""
        if isinstance(version, Unreadable):
            log.error("Version %s cannot be taken over, its row cannot be understood: %s", version.what, version.reason)
            return Decision(AdoptedVersion(version.what, "", "", None, FAILED, 0, note=version.reason))
        here = self._here.get(version.uid)
        if here is not None and here.digest:
            if here.state.is_gone:
                return Decision(_outcome(version, GIVEN_UP))
            if not (version.valid and here.state is VersionState.DAMAGED and self._lacks_blocks(here.id)):
                return Decision(_outcome(version, HERE))
        try:
            findings, note = self._examine(version)
        except ExchangeError as error:
            return Decision(failed(version, error))
        outcome = VersionState.DAMAGED if findings.damaged else VersionState.VALID
        return Decision(_outcome(version, outcome.name.lower(), lost=findings.missing, note=note), findings, here)

    def rows(self, version: OriginalVersion) -> Iterator[tuple[int, OriginalBlock]]:
        """The rows of a version. An unreadable one is an error where all must fit, and else costs its block."""
        for block in self._original.blocks(version.uid):
            if not isinstance(block, Unreadable):
                yield 0, block
            elif version.valid:
                raise ExchangeError(f"{self._original.location}, version {version.uid}, {block.what}: {block.reason}.")
            else:
                log.warning("Version %s, %s: %s; the block is lost", version.uid, block.what, block.reason)

    def _examine(self, version: OriginalVersion) -> tuple[Findings, str]:
        """Look at all rows; where they do not fit together, at those that do."""
        where = self._original.location
        try:
            findings = inspect_version(version, self.rows(version), self._defaults, where)
            return findings, "the original held it for damaged" if findings.damaged else ""
        except ExchangeError as error:
            usable = replace(version, valid=False)
            rows = usable_rows(usable, self.rows(usable), self._defaults)
            findings = inspect_version(usable, rows, self._defaults, where)
            if not findings.rows:
                # Nothing of it can be read, or the original removed it a moment ago.
                raise
            return findings, f"{findings.missing} blocks are lost: {error}"

    def _lacks_blocks(self, version: VersionId) -> bool:
        meta = self._meta
        if meta is None:
            return False
        for segments in batches(meta.read_map(version), _BATCH):
            if any(LOST in block_ids(segment.data) for segment in meta.read_segments(set(segments)).values()):
                return True
        return False


def usable_rows(
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


def failed(version: OriginalVersion, error: BackyError) -> AdoptedVersion:
    """What is said of a version that could not be taken over."""
    log.error("Version %s of %s was not taken over: %s", version.uid, version.name, error)
    return _outcome(version, FAILED, note=str(error))
