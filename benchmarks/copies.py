"""What the copies of metadata in the store cost: bytes, and seconds of the backup, at 262,144 blocks with 0.1 % changed.

As in :mod:`benchmarks.metadata` the device is made and its blobs are dropped; the documents are written to a real folder,
durably, as the file data backend does it. ``python -m benchmarks.copies [--backups 10] [--dir /var/tmp]``.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backy2_core.cli.collector import collect_rarely
from backy2_core.engine.backup import backup
from backy2_core.engine.context import Engine
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.requests import BackupRequest
from backy2_core.engine.store import open_store
from backy2_core.model.blob import BlobUid
from backy2_core.model.version import VersionUid
from backy2_plugins.data_backends.file import FileDataBackend
from benchmarks import made, measure, report
from benchmarks.sizes import KIB

BLOCKS = 262_144
BLOCK_BYTES = 4 * KIB
CHANGED = 0.001


class DocumentStore(FileDataBackend):
    """Keeps documents, and drops blobs."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Nothing is kept."""

    def flush(self) -> None:
        """Nothing is there to be made durable."""


@dataclass(frozen=True, slots=True)
class Backup:
    """Seconds of one backup, and bytes that it added to the documents."""

    seconds: float
    added_bytes: int


def run(folder: Path, backups: int, blocks: int = BLOCKS) -> str:
    """Measure a first backup and ``backups`` more, with copies and without; return the table."""
    with_copies, without = (
        list(_backups(folder / name, backups, blocks, copies=name == "on")) for name in ("on", "off")
    )
    whole = with_copies[0].added_bytes
    rows = [
        [
            "first" if number == 0 else f"incremental {number}",
            report.seconds(copied.seconds),
            report.seconds(bare.seconds),
            f"{copied.added_bytes / KIB:,.0f}",
            "-" if number == 0 else f"1/{whole / copied.added_bytes:.1f}",
        ]
        for number, (copied, bare) in enumerate(zip(with_copies, without, strict=True))
    ]
    title = f"Copies of metadata in the store: {blocks:,} blocks, 0.1 % changed at random"
    return report.table(title, ["backup", "with copies", "without", "KiB", "of a whole copy (target <= 1/5)"], rows)


def _backups(folder: Path, backups: int, blocks: int, *, copies: bool) -> Iterator[Backup]:
    folder.mkdir(parents=True)
    base: VersionUid | None = None
    documents = folder / "store" / "backy2"
    with made.open_database(f"sqlite:///{folder}/backy2.sqlite") as meta, DocumentStore(str(folder / "store")) as data:
        for number in range(backups + 1):
            dice = random.Random(number)
            changed = sorted(dice.sample(range(blocks), max(1, round(blocks * CHANGED)))) if number else []
            engine = made.made_engine(meta, made.MadeSource(blocks, BLOCK_BYTES, changed), BLOCK_BYTES)
            # The blocks that were changed before are as at first in this device: nobody is to compare them.
            options = replace(engine.options, metadata_copies=copies, sanity_check_blocks=0)
            engine = replace(engine, data=data, store=open_store(meta, data, "file"), options=options)
            before = measure.size_of(documents)
            seconds, base = _timed(engine, changed, base)
            yield Backup(seconds, measure.size_of(documents) - before)


def _timed(engine: Engine, changed: list[int], base: VersionUid | None) -> tuple[float, VersionUid]:
    hints = [{"offset": block * BLOCK_BYTES, "length": BLOCK_BYTES, "exists": "true"} for block in changed]
    request = BackupRequest("made://", "vm", hints=parse_hints(json.dumps(hints)) if base else None, base=base)
    began = time.perf_counter()
    uid = backup(engine, request).version.uid
    return time.perf_counter() - began, uid


def main() -> None:
    """Print the table."""
    from benchmarks.run import scratch

    collect_rarely()
    parser = argparse.ArgumentParser(description="Measure the copies of metadata.")
    parser.add_argument("--backups", type=int, default=10, help="incremental backups after the first (default 10)")
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="folder on a real disk")
    options = parser.parse_args()
    with scratch(options.dir) as folder:
        print(run(folder, options.backups))


if __name__ == "__main__":
    main()
