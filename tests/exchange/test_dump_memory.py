"""Dumps of many blocks go both ways in bounded memory."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys

import pytest

from tests.exchange.dumps import GUIDE_UID, block_row, version_row

COUNT = 300_000
MOST_MIB = 110
"""A command that does nothing takes about 50, and what a process is begun with counts too. The dump has 65."""


def peak_mib(backy, *argv):
    """The most memory that a command took."""
    with subprocess.Popen(backy.command(*argv), stdout=subprocess.DEVNULL, stderr=sys.stderr) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


@pytest.mark.soak
def test_a_dump_of_many_blocks_goes_both_ways_in_bounded_memory(backy):
    original, own = backy.folder / "original", backy.folder / "own"
    with original.open("w", newline="") as file:
        file.write(f"backy2 Version 2.2 metadata dump\r\n{version_row(COUNT)}\r\n")
        file.writelines(f"{block_row(number)}\r\n" for number in range(COUNT))
    taken = {"import": peak_mib(backy, "import", str(original))}
    again = backy.folder / "again"
    taken["export"] = peak_mib(backy, "export", GUIDE_UID, str(again))
    assert filecmp.cmp(again, original, shallow=False)
    taken["export own"] = peak_mib(backy, "export", "--dump-format", "own", GUIDE_UID, str(own))
    backy.ok("rm", "-f", GUIDE_UID)
    taken["import own"] = peak_mib(backy, "import", str(own))
    print(taken)
    assert max(taken.values()) < MOST_MIB, taken
