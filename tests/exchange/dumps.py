"""Dumps for the tests: those that real releases of the original wrote, damaged copies of one, and made ones."""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import cache

from tests.support.original import DATA

BAD = "synthetic-bad-dumps"
GUIDE_UID = "d91be794-2f21-11e7-b961-a44e314f9270"
GUIDE_BLOB = "6ea578608ffuwQB2rhRMMevpJtVrNU7a"
_GUIDE_CHECKSUM = (
    "04ca5d5da5270cf1e6a2ce09afc854a959eec7d59198b76436d3c40075b77f49"
    "8d27d0891bdee01ccda017073390c150c01001b1c5e8289961c7a798a51a8964"
)


@cache
def archive() -> dict[str, bytes]:
    """Every dump by ``folder/name``."""
    with tarfile.open(DATA / "dumps" / "dumps.tar.xz") as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def dump(folder: str, name: str) -> bytes:
    """One dump."""
    return archive()[f"{folder}/{name}"]


def names(folder: str) -> list[str]:
    """The names of the dumps of one release."""
    return sorted(path.partition("/")[2] for path in archive() if path.startswith(f"{folder}/"))


def csv_dump(*rows: str, number: str = "2.2") -> bytes:
    """A dump of the original with these rows."""
    return "".join(f"{row}\r\n" for row in (f"backy2 Version {number} metadata dump", *rows)).encode()


def guide() -> bytes:
    """The example of the original's administration guide, with all of its three rows."""
    rows = [f"{GUIDE_BLOB},{GUIDE_UID},{number},2017-05-02 12:26:51,{_GUIDE_CHECKSUM},4096,1" for number in range(3)]
    return csv_dump(f"{GUIDE_UID},2017-05-02 10:26:48,test,,3,12288,1,0", *rows)


def blob_uid(number: int) -> str:
    """A uid in the original's older shape."""
    return hashlib.md5(b"%d" % number).hexdigest()


def checksum(number: int, name: str = "sha512") -> str:
    """What the checksum of a block may be."""
    return hashlib.new(name, b"%d" % number).hexdigest()


def block_row(number: int, *, uid: str = GUIDE_UID, size: int = 4096, hash_name: str = "sha512", valid: int = 1) -> str:
    """The row of a stored block whose blob no other block shares."""
    return f"{blob_uid(number)},{uid},{number},2017-05-02 12:26:51,{checksum(number, hash_name)},{size},{valid}"


def sparse_row(number: int, *, uid: str = GUIDE_UID, size: int = 4096) -> str:
    """The row of a sparse block."""
    return f",{uid},{number},2017-05-02 12:26:51,,{size},1"


def version_row(blocks: int, size_bytes: int | None = None, *, uid: str = GUIDE_UID, valid: int = 1) -> str:
    """The row of a version of blocks of 4096 bytes, in format 2.2."""
    size_bytes = blocks * 4096 if size_bytes is None else size_bytes
    return f"{uid},2017-05-02 10:26:48,test,,{blocks},{size_bytes},{valid},0"


def stream(data: bytes) -> io.BytesIO:
    """Bytes to be read as a file."""
    return io.BytesIO(data)
