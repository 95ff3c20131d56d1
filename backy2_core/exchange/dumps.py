"""Importing a dump, ours or the original's: read once to be sure of all of it, then again to take it in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.lease import Lease, running_job
from backy2_core.errors import ExchangeError, RefusedError, UsageError, VersionExistsError
from backy2_core.exchange import original_dump, own_format
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.exchange.inspection import Defaults, Findings
from backy2_core.exchange.lines import Lines, Readable, shown
from backy2_core.exchange.original_dump import OriginalDump, is_beside, is_header, read_header
from backy2_core.exchange.own_dump import OwnDump
from backy2_core.exchange.translation import arriving_blocks, arriving_version, inspect_version
from backy2_core.exchange.twice import Twice
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.version import Version, VersionFilter, VersionState

log = logging.getLogger(__name__)

_SHOW_EVERY_S = 0.2


def import_dump(engine: Engine, stream: BinaryIO, origin: str, hash_name: str | None = None) -> Version:
    """Take in the version that a dump describes, from where ``stream`` stands; all of it or nothing.

    ``origin`` names the dump in messages. ``hash_name`` says which hash function made the checksums of a dump of the
    original, where their length is not to tell it. Nothing is written before the whole dump was read and found right.
    Raises :class:`ExchangeError` with the line where it is not, :class:`VersionExistsError` for a uid that is there.
    """
    defaults = Defaults(engine.options.block_size, engine.options.hash_function, hash_name)
    reader = _Reader(engine, origin, defaults)
    with Twice(stream) as twice:
        checked = reader.check(twice.first(), twice.length)
        _tell(checked, engine, origin)
        version = checked.version
        with running_job(engine, JobKind.IMPORT, f"{version.uid} ({version.name})") as lease:
            return reader.take_in(twice.again(), twice.length, checked, lease)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A dump that was read to its end. ``found`` is None for our own format, ``store`` empty for the original's."""

    version: ArrivingVersion
    lost: int
    found: Findings | None = None
    store: str = ""


class _Reader:
    """Reads a dump of either kind, each time from its beginning."""

    def __init__(self, engine: Engine, origin: str, defaults: Defaults) -> None:
        self._engine = engine
        self._origin = origin
        self._defaults = defaults

    def check(self, stream: Readable, length: int) -> _Checked:
        """Read all of it. Raises what is wrong with it."""
        meter = _Meter(self._engine, f"Checking {self._origin}", length)
        try:
            dump = open_dump(stream, self._origin, meter.advance)
            _refuse_existing(self._engine.meta, dump.version.uid)
            if isinstance(dump, OriginalDump):
                found = inspect_version(dump.version, dump.blocks(), self._defaults, self._origin, dump.version_line)
                return _Checked(arriving_version(found), found.missing, found)
            if self._defaults.hash_name is not None:
                raise UsageError(
                    f"{self._origin} says itself which hash function made its checksums; leave --hash out."
                )
            for _ in dump.blocks():
                pass
            return _Checked(dump.version, dump.lost, store=dump.store)
        finally:
            meter.close()

    def take_in(self, stream: Readable, length: int, checked: _Checked, lease: Lease) -> Version:
        """Read it again, into the database."""
        meter = _Meter(self._engine, f"Importing {checked.version.name} ({checked.version.uid})", length, lease)
        try:
            return arrive(self._engine, lease, checked.version, self._blocks(stream, meter, checked))
        except ExchangeError as error:
            # What the arrival itself does not like it knows by its line alone.
            raise error if str(error).startswith(self._origin) else ExchangeError(f"{self._origin}: {error}") from error
        finally:
            meter.close()

    def _blocks(self, stream: Readable, meter: _Meter, checked: _Checked) -> Iterator[ArrivingBlock]:
        dump = open_dump(stream, self._origin, meter.advance)
        if isinstance(dump, OriginalDump):
            if checked.found is None or dump.version != checked.found.version:
                raise self._changed()
            yield from arriving_blocks(checked.found, dump.blocks(), self._defaults, self._origin)
        else:
            if dump.version != checked.version:
                raise self._changed()
            yield from dump.blocks()

    def _changed(self) -> ExchangeError:
        return ExchangeError(f"{self._origin} changed while it was read; try again when it is complete.")


_UNDERSTOOD = f"understood are {original_dump.known_headers()}, and our own {own_format.header().decode().strip()}"


def open_dump(
    stream: Readable, origin: str, advance: Callable[[int], None] = lambda done: None
) -> OriginalDump | OwnDump:
    """The dump that begins where ``stream`` stands, by its header; before that of the original, lines of its log may stand.

    ``origin`` names it in messages; ``advance`` is told how many bytes were read. Raises :class:`ExchangeError`.
    """
    lines = Lines(stream, origin, own_format.MOST_LINE, advance)
    for text in lines:
        if text.startswith("{") and lines.number == 1:
            return OwnDump(lines, text)
        lines.most = original_dump.MOST_LINE
        if is_header(text):
            return read_header(lines, text)
        if not is_beside(text) or lines.number > original_dump.MOST_BEFORE:
            raise lines.fault(f"expected the header of a dump, found {shown(text.strip())}; {_UNDERSTOOD}")
    raise lines.fault(f"there is no header of a dump; {_UNDERSTOOD}")


def _refuse_existing(meta: MetaBackend, uid: str) -> None:
    """Refuse a uid that is there. One that only arrives is nobody's once the lease of its import ran out."""
    known = VersionFilter().states | {VersionState.ARRIVING}
    for version in meta.versions(VersionFilter(uid_prefix=uid, states=known)):
        if version.uid != uid:
            continue
        if version.state is not VersionState.ARRIVING:
            raise VersionExistsError(f"Version {uid} is there already; nothing was imported.")
        meta.expire_jobs()
        for job in meta.jobs({JobState.LIVE}):
            if version.id in job.versions:
                raise RefusedError(
                    f"Version {uid} is being imported by job {job.id} (host {job.host}, process {job.pid}). If that process is"
                    f" dead, its lease runs out at {job.lease_until:%H:%M:%S} UTC; then try again."
                )


def _tell(checked: _Checked, engine: Engine, origin: str) -> None:
    version = checked.version
    if checked.found is not None and checked.found.unfinished:
        log.warning(
            "%s: the backup of version %s was never finished, %d of its blocks were only prepared; they are lost",
            origin,
            version.uid,
            checked.lost,
        )
    elif checked.lost:
        log.warning(
            "%s: version %s is incomplete, %d of its %d blocks are lost",
            origin,
            version.uid,
            checked.lost,
            version.geometry.count,
        )
    here = {info.id: info.identity for info in engine.meta.stores()}.get(engine.store)
    if checked.store and checked.store != here:
        log.warning(
            "%s: the blobs of version %s were in store %s, and this is store %s; a scrub shows whether they are here",
            origin,
            version.uid,
            checked.store,
            here,
        )


class _Meter:
    """Shows how far one reading is; of a stream without an end that is known, nothing."""

    def __init__(self, engine: Engine, action: str, length: int, lease: Lease | None = None) -> None:
        self._progress = engine.progress
        self._length = length
        self._lease = lease
        self._shown_at = time.monotonic()
        if length:
            self._progress.begin(action, length, "B")

    def advance(self, done: int) -> None:
        """So many bytes were read."""
        now = time.monotonic()
        if self._length and now - self._shown_at >= _SHOW_EVERY_S:
            self._shown_at = now
            self._progress.advance(min(done, self._length))
            if self._lease is not None:
                self._lease.progress = min(1.0, done / self._length)

    def close(self) -> None:
        """The reading is over."""
        if self._length:
            self._progress.finish()
