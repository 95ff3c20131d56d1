"""Taking over an installation of the original: its database is read, its blobs stay where they are in the store.

Nothing of the original's is changed, so it may go on working; running the adoption again adds what is new. What its database
says of a version is believed as far as it does not contradict itself: a row that cannot be right costs its own block, which is
then lost, and its version is damaged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.engine.context import Engine
from backy2_core.engine.foreign import begin_take_over, finish_take_over, reopen_take_over
from backy2_core.engine.lease import running_job
from backy2_core.engine.stored_map import batches
from backy2_core.engine.survey import Survey, survey
from backy2_core.errors import BlobNotFoundError, ExchangeError, NotFoundError, RefusedError, VersionExistsError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock
from backy2_core.exchange.decision import AdoptedVersion, Deciding, Decision, failed, usable_rows
from backy2_core.exchange.inspection import BLOB_UID, Defaults, Findings
from backy2_core.exchange.translation import arriving_blocks, arriving_version
from backy2_core.model.blob import BlobUid
from backy2_core.model.job import JobKind
from backy2_core.model.original import OriginalVersion, Unreadable
from backy2_core.model.version import Statistics, Version, VersionFilter, VersionState

log = logging.getLogger(__name__)

_BATCH = 64
_STATISTICS = 1000
_SAMPLE = 200
_OF_EACH = 10


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an adoption did, or would do. ``store`` is what was found in the store afterwards; None in a dry run."""

    versions: tuple[AdoptedVersion, ...]
    statistics: int
    store: Survey | None


def foresee(original: OriginalDatabase, defaults: Defaults, meta: MetaBackend | None) -> Adoption:
    """What :func:`adopt` would do, found out without changing anything. ``meta`` is None where our tables are not there yet."""
    deciding = Deciding(original, defaults, meta)
    return Adoption(tuple(deciding.decide(version).outcome for version in original.versions()), 0, None)


def adopt(engine: Engine, original: OriginalDatabase) -> Adoption:
    """Take over every version of ``original`` that is not here yet, all statistics, and look for the blobs in the store.

    Call :func:`require_blobs` before. A version that fails is reported in the result, the others are taken over all the same.
    """
    begin_take_over(engine.data)
    adopting = _Adopting(engine, original)
    versions = [adopting.take(version) for version in original.versions()]
    added = sum(engine.meta.add_statistics(batch) for batch in batches(_readable(original), _STATISTICS))
    with running_job(engine, JobKind.SCRUB, "looking for the blobs that were taken over") as lease:
        found = survey(engine, lease, mark=True)
    return Adoption(tuple(_with_states(engine, versions)), added, found)


def require_blobs(data: DataBackend, original: OriginalDatabase) -> None:
    """Refuse a store that has not one of some blobs that ``original`` names: it is another store, or its disk is not mounted.

    To be called before the store is given an identity. Raises :class:`RefusedError`; nothing was changed.
    """
    sample = list(islice(_some_uids(original), _SAMPLE))
    if sample and not any(_is_there(data, uid) for uid in sample):
        raise RefusedError(
            f"Not one of {len(sample)} blobs that {original.location} names is in the store at {data.location}, such as"
            f" {sample[0]}. Is this the original's store, and is its disk mounted? Nothing was changed."
        )


def finish(engine: Engine, original: OriginalDatabase | None) -> None:
    """Declare that the original is not used any more: from now on cleanups delete its blobs too, once no version needs them.

    Refused while ``original`` (where it still is) has versions that were never taken over, or that would come whole now.
    """
    defaults = Defaults(engine.options.block_size, engine.options.hash_function)
    deciding = Deciding(original, defaults, engine.meta) if original else None
    decisions = [deciding.decide(version) for version in original.versions()] if original and deciding else []
    missing = [decision.outcome.uid for decision in decisions if _brings_something(decision)]
    if missing:
        raise RefusedError(
            f"{len(missing)} versions of {original.location if original else ''} are not here, such as {missing[0]}. Their"
            " blobs would be nobody's. Run `backy2 adopt` again first."
        )
    finish_take_over(engine.data)


def _brings_something(decision: Decision) -> bool:
    """True if another adoption would help: what is here as damaged as it would come again is all that there is of it."""
    is_here = decision.here is not None and bool(decision.here.digest)
    return decision.findings is not None and not (is_here and decision.findings.damaged)


def _some_uids(original: OriginalDatabase) -> Iterator[BlobUid]:
    """Uids of blobs of every version in turn, a few of each, so that one damaged version does not decide."""
    for version in original.versions():
        if isinstance(version, OriginalVersion):
            blocks = (block for block in original.blocks(version.uid) if not isinstance(block, Unreadable))
            yield from islice((BlobUid(block.uid) for block in blocks if BLOB_UID.fullmatch(block.uid)), _OF_EACH)


def _is_there(data: DataBackend, uid: BlobUid) -> bool:
    try:
        data.stored_size(uid)
    except BlobNotFoundError:
        return False
    return True


def _readable(original: OriginalDatabase) -> Iterator[Statistics]:
    for entry in original.statistics():
        if isinstance(entry, Unreadable):
            log.warning("Statistics of %s are left out: %s", entry.what, entry.reason)
        else:
            yield entry


class _Adopting:
    """One adoption under way."""

    def __init__(self, engine: Engine, original: OriginalDatabase) -> None:
        self._engine = engine
        self._original = original
        self._defaults = Defaults(engine.options.block_size, engine.options.hash_function)
        self._deciding = Deciding(original, self._defaults, engine.meta)

    def take(self, version: OriginalVersion | Unreadable) -> AdoptedVersion:
        """Take over one version, unless it is here."""
        decision = self._deciding.decide(version)
        if decision.findings is None or isinstance(version, Unreadable):
            return decision.outcome
        try:
            self._take_new(version, decision.findings, decision.here)
        except (ExchangeError, VersionExistsError) as error:
            return failed(version, error)
        log.info("Version %s of %s: %s", version.uid, version.name, decision.outcome.note or decision.outcome.outcome)
        return decision.outcome

    def _take_new(self, version: OriginalVersion, findings: Findings, here: Version | None) -> None:
        replaced = here if here is not None and not here.state.is_gone else None
        if replaced is not None:
            # It was incomplete when it came, and was finished since.
            self._engine.meta.remove_version(replaced.id, protected_too=True)
        reopen_take_over(self._engine.data)
        description = f"{version.uid} ({version.name}) from {self._original.location}"
        try:
            with running_job(self._engine, JobKind.IMPORT, description) as lease:
                rows = usable_rows(findings.version, self._deciding.rows(findings.version), self._defaults)
                blocks = arriving_blocks(findings, rows, self._defaults, self._original.location)
                arrive(self._engine, lease, arriving_version(findings), self._counted(version, blocks))
        except BaseException:
            if replaced is not None:
                self._put_back(replaced)
            raise

    def _put_back(self, version: Version) -> None:
        """What did not give way to anything stays. Else it would count as given up here, for good."""
        with contextlib.suppress(NotFoundError):
            self._engine.meta.set_version_state(version.id, version.state, {VersionState.PURGED})

    def _counted(self, version: OriginalVersion, blocks: Iterable[ArrivingBlock]) -> Iterator[ArrivingBlock]:
        progress = self._engine.progress
        progress.begin(f"Adopting Version {version.uid}", version.size_blocks, "blocks")
        try:
            for count, block in enumerate(blocks):
                progress.advance(count)
                yield block
        finally:
            progress.finish()


def _with_states(engine: Engine, versions: Iterable[AdoptedVersion]) -> Iterator[AdoptedVersion]:
    """The outcomes with what the look at the store has shown since."""
    damaged = {version.uid for version in engine.meta.versions(VersionFilter(states=frozenset({VersionState.DAMAGED})))}
    for version in versions:
        came = version.outcome == VersionState.VALID.name.lower()
        lacking = came and version.uid in damaged
        yield replace(version, outcome="damaged", note="blobs are missing in the store") if lacking else version
