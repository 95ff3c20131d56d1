"""What the parts of the reference machine can do, and how near the bare loops come to it there.

The figures were measured one by one on two cores (Xeon with SHA-NI and AVX-512), CPython 3.11: those of the processor are
good to 5 %, those of the disk to 30 %. On another machine they are a scale and no more.
"""

from __future__ import annotations

from benchmarks.bare import Done
from benchmarks.sizes import MIB

READ_AND_HASH = 7.5e9
"""Bytes a second: cached read, zero check and BLAKE3, two threads, 4 MiB blocks of random data."""
DURABLE_WRITE = 4 * MIB / 3.1e-3
"""Bytes a second: 4 MiB files written, renamed, and synced once at the end."""
SMALL_FILES = (10_000, 35_000)
"""Files of 4 KiB a second, unsynced: the least and the most that was seen."""
SHARE = 0.80
"""What the bare loops must reach of the possible."""


def possible_s(done: Done) -> float:
    """Seconds that this work takes at the least: reading and writing go on beside each other, so the slower one counts."""
    return max(done.read_bytes / READ_AND_HASH, done.written_bytes / DURABLE_WRITE)


def share(done: Done) -> float:
    """Part of the possible throughput that a loop reached."""
    return possible_s(done) / done.seconds
