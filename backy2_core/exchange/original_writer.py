"""Writing the dump that release 2.9 of the original wrote."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO

from backy2_core.engine.inventory import Item, SparseBlocks, StoredBlock
from backy2_core.errors import ExchangeError
from backy2_core.exchange.original_dump import HEADER
from backy2_core.model.blob import BlobRecord, BlobState
from backy2_core.model.version import Version, VersionState

NUMBER = "2.2"


def write_original(out: BinaryIO, version: Version, items: Iterable[Item]) -> None:
    """Write a version of which the original's format can carry every block.

    Sparse blocks get the date of the version, which is that of blocks the original did not read.
    """
    out.write(f"{HEADER.format(NUMBER)}\r\n{_version_row(version)}".encode())
    moment, geometry = _date(version.date), version.geometry
    for item in items:
        if isinstance(item, StoredBlock):
            out.write(_stored_row(version.uid, item.number, item.record).encode())
        elif isinstance(item, SparseBlocks):
            out.writelines(
                f",{version.uid},{number},{moment},,{geometry.length(number)},1\r\n".encode()
                for number in range(item.start, item.stop)
            )
        else:
            raise ExchangeError(
                f"Block {item.number} of version {version.uid} was lost while it was exported: {item.reason}."
            )


def _version_row(version: Version) -> str:
    row = io.StringIO(newline="")
    valid, geometry = version.state is VersionState.VALID, version.geometry
    csv.writer(row).writerow(
        [
            version.uid,
            _date(version.date),
            version.name,
            version.snapshot_name,
            geometry.count,
            geometry.size_bytes,
            int(valid),
            int(version.protected),
        ]
    )
    return row.getvalue()


def _stored_row(version_uid: str, number: int, record: BlobRecord) -> str:
    valid = int(record.state is not BlobState.DAMAGED)
    checksum = record.checksum.hex()
    return f"{record.uid},{version_uid},{number},{_date(record.date)},{checksum},{record.size},{valid}\r\n"


def _date(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")
