"""The quick check of both halves: database and store are held against each other, and no block is read.

Proven damage is marked, as a scrub does, under a lease. What only a look at the bytes can tell is left to scrubs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from backy2_core.engine.context import Engine
from backy2_core.engine.health_copies import CopiesHealth, check_copies
from backy2_core.engine.health_jobs import DESCRIPTION, job_lines
from backy2_core.engine.health_lines import Faults, Line, Verdict, line, worst
from backy2_core.engine.health_maps import MapsHealth, check_maps
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.survey import Finding, Findings, Survey, survey
from backy2_core.model.job import JobKind

log = logging.getLogger(__name__)

_LISTING, _MAPS = (0.0, 0.5), (0.5, 0.95)
_SCRUB = "`backy2 scrub UID`"
_RESTORE_DATABASE = "restore the database from a copy, or `backy2 recover` a new one"
_PUT_BACK = "put the objects back and scrub, or back up anew"
_WRITE_COPIES = "`backy2 cleanup --full`"
_RECOVER = "another database, or an old one? `backy2 recover`"
_VOLATILE = Line("store", 0, 0, Verdict.NOTE, "this store keeps nothing, so there is nothing to look at")


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A line for each thing that was looked at, in a fixed order."""

    lines: tuple[Line, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all lines."""
        return worst(self.lines)


def check_health(engine: Engine, *, dry_run: bool = False) -> HealthReport:
    """Hold the database against the store, and each against itself; safe beside everything else.

    What is proven is written down: ``unseen`` blobs that were found become ``stored``; blobs that are missing or of a wrong
    size become ``damaged``, and so do versions that use one, or whose map is at fault. With ``dry_run`` nothing is written.
    """
    if dry_run:
        return _check(engine, None)
    with running_job(engine, JobKind.SCRUB, DESCRIPTION) as lease:
        return _check(engine, lease)


def _check(engine: Engine, lease: Lease | None) -> HealthReport:
    mark = lease is not None
    persistent = engine.data.capabilities.persistent
    found = survey(engine, lease, see=mark, mark=mark, share=_LISTING) if persistent else Survey()
    maps = check_maps(engine, found.broken, lease, mark=mark, share=_MAPS)
    lines = [*_map_lines(maps), *(_store_lines(found) if persistent else [_VOLATILE]), *job_lines(engine, lease)]
    if persistent:
        # A version without any blob may belong to each of several stores.
        several = len(engine.meta.stores()) > 1
        elsewhere = maps.elsewhere | maps.nowhere if several else maps.elsewhere
        copies = check_copies(engine, elsewhere, lease)
        lines += _copy_lines(engine, copies, len(maps.elsewhere))
    return HealthReport(tuple(lines))


def _map_lines(maps: MapsHealth) -> list[Line]:
    maps.damaged_versions.log("Version")
    return [
        line("versions", maps.versions, maps.damaged_versions, Verdict.DAMAGE, _SCRUB),
        line("segments", maps.segments, maps.broken_segments, Verdict.DAMAGE, _RESTORE_DATABASE),
    ]


def _store_lines(found: Survey) -> list[Line]:
    missing = _faults(found.missing, lambda each: "its object is missing from the store")
    wrong = _faults(
        found.wrong_size,
        lambda each: f"its object has {each.found_size} bytes in place of {each.recorded_size}",
    )
    for faults in (missing, wrong):
        faults.log("Blob")
    if found.found:
        log.info("%d blobs that nobody had looked for were found, and count as stored from now on", found.found)
    return [
        line("missing_blobs", found.records, missing, Verdict.DAMAGE, _PUT_BACK),
        line("wrong_sizes", found.records, wrong, Verdict.DAMAGE, _PUT_BACK),
        _surplus_line(found),
        _doomed_line(found),
    ]


def _surplus_line(found: Survey) -> Line:
    """Surplus objects take space and harm nothing; that a program beside ours has objects in the store is usual."""
    orphans, foreign, details = found.orphans, found.foreign, []
    if orphans.count:
        log.warning("The store holds %d objects without a record, of jobs that are over", orphans.count)
        details.append(f"{orphans.count} of jobs that are over ({orphans.size_bytes} bytes): `backy2 cleanup --full`")
    if foreign.count:
        some = f"{foreign.count} of no job of this database ({foreign.size_bytes} bytes)"
        details.append(f"{some}, such as {foreign.named[0].uid}: nothing deletes them")
    count = orphans.count + foreign.count
    return Line("surplus_objects", found.objects, count, Verdict.NOTE if count else Verdict.OK, "; ".join(details))


def _doomed_line(found: Survey) -> Line:
    """Condemned blobs are no problem: they wait for a cleanup that may delete them."""
    text = f"{found.condemned} wait to be deleted by a later cleanup" if found.condemned else ""
    if not found.deleting:
        return Line("unused_blobs", found.condemned, 0, Verdict.OK, text)
    half = f"{found.deleting} are not deleted to the end: `backy2 cleanup` does that"
    texts = "; ".join(filter(None, [half, text]))
    return Line("unused_blobs", found.condemned + found.deleting, found.deleting, Verdict.NOTE, texts)


def _copy_lines(engine: Engine, copies: CopiesHealth, elsewhere: int) -> list[Line]:
    copies.faulty.log("Version")
    copies.unknown.log("Version")
    faulty = line("metadata_copies", copies.copies, copies.faulty, Verdict.MISMATCH, _WRITE_COPIES)
    lines = [faulty, line("unknown_versions", copies.documents, copies.unknown, Verdict.MISMATCH, _RECOVER)]
    if elsewhere:
        text = f"versions whose blobs are in another store than the one at {engine.data.location}, where nobody looked"
        lines.append(Line("other_stores", elsewhere, elsewhere, Verdict.NOTE, text))
    return lines


def _faults(findings: Findings, reason: Callable[[Finding], str]) -> Faults:
    return Faults(findings.count, [(each.uid, reason(each)) for each in findings.named])
