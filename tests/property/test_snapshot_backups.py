"""Any course of events on a device: every version is what its snapshot held, and the device is tidy after the next good run.

Writes, discards, resizes, rollbacks, devices made anew, snapshots that others make and remove, versions that are removed,
two names side by side, and backups that are killed at any call of the database or the device.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backy2_core.engine.retention import remove
from backy2_core.model.extent import Extent
from backy2_core.model.version import VersionState
from backy2_core.testing.memory_snapshots import MemoryDevice
from tests.engine.snapshot_place import MEMORY, URL, SnapshotPlace

BLOCK = 512
MOST = 40 * BLOCK
VALID, INCOMPLETE = VersionState.VALID, VersionState.INCOMPLETE

NAMES = st.sampled_from(["one", "two"])
OFFSETS = st.integers(0, MOST) | st.integers(0, 40).map(lambda n: n * BLOCK)
LENGTHS = st.integers(1, 3 * BLOCK) | st.integers(1, 12).map(lambda n: n * BLOCK)
SIZES = st.integers(0, MOST) | st.integers(0, 40).map(lambda n: n * BLOCK)


class Remembering(MemoryDevice):
    """A device that remembers what each snapshot held, whatever becomes of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content, url=URL, grain=200)
        self.held_once: dict[str, bytes] = {}

    def take(self, name, mark=""):
        made = super().take(name, mark)
        self.held_once[made.identity] = bytes(self.content)
        return made


def noisy(extents):
    """The same changes in a worse form: backwards, twice, and beyond the end."""
    told = list(extents)
    return [Extent(MOST * 3, 7), *reversed(told), *told, *(Extent(e.offset, e.length + MOST) for e in told if e.exists)]


class Course(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="backy2-", dir=MEMORY if MEMORY.is_dir() else None))
        self.place = SnapshotPlace(self.folder, block_size=BLOCK)
        self.device = self.place.device = Remembering(b"begin" * 1000)
        self.theirs = set()
        self.checked = set()
        self.count = 0

    def teardown(self):
        for version in self.place.versions(VALID):
            self.check(version)
        self.place.close()
        shutil.rmtree(self.folder)

    def check(self, version):
        """The version holds what its snapshot held."""
        content = self.place.restored(version.uid)
        assert content == self.device.held_once[version.source_identity]
        self.checked.add(version.uid)

    # -- what others do

    @rule(offset=OFFSETS, length=LENGTHS, letter=st.binary(min_size=1, max_size=1))
    def write(self, offset, length, letter):
        end = min(offset + length, len(self.device.content))
        if offset < end:
            self.device.write(offset, letter * (end - offset))

    @rule(offset=OFFSETS, length=LENGTHS)
    def discard(self, offset, length):
        self.write(offset, length, b"\0")

    @rule(size=SIZES)
    def resize(self, size):
        self.device.resize(size)

    @rule()
    def take(self):
        self.count += 1
        self.device.take(f"theirs{self.count}")
        self.theirs.add(f"theirs{self.count}")

    @rule(number=st.integers(0, 100))
    def drop(self, number):
        names = self.device.names()
        if names:
            self.theirs.discard(names[number % len(names)])
            self.device.drop(names[number % len(names)])

    @rule(number=st.integers(0, 100))
    def roll_back(self, number):
        names = self.device.names()
        if names:
            self.device.roll_back(names[number % len(names)])

    @rule(size=SIZES)
    def recreate(self, size):
        self.device.recreate(b"new" * (size // 3))
        self.theirs.clear()

    @rule(number=st.integers(0, 100))
    def remove_version(self, number):
        versions = self.place.versions(VALID)
        if versions:
            remove(self.place.engine(), versions[number % len(versions)], force=True)

    # -- backups

    @rule(
        name=NAMES, keep=st.integers(0, 3), full=st.booleans(), noise=st.booleans(), sample=st.sampled_from([0, 1000])
    )
    def back_up(self, name, keep, full, noise, sample):
        self.place.faults = {"retell": noisy} if noise else {}
        newest = {other: self.newest_snapshot(other) for other in ("one", "two") if other != name}
        options = {"keep_snapshots": keep, "sanity_check_blocks": sample}
        result = self.place.backup(name=name, full=full, options=options)
        assert result.version.state is VALID
        assert self.device.held_once[result.version.source_identity] == bytes(self.device.content)
        self.check(result.version)
        self.expect_tidy(name, keep, result.version)
        names = self.device.names()
        assert all(snapshot in names for snapshot in newest.values() if snapshot and keep)

    @rule(name=NAMES, number=st.integers(0, 100))
    def back_up_theirs(self, name, number):
        theirs = sorted(self.theirs)
        if theirs:
            result = self.place.backup(theirs[number % len(theirs)], name=name)
            self.check(result.version)

    @rule(name=NAMES, number=st.integers(1, 70), full=st.booleans())
    def killed(self, name, number, full):
        self.place.kill(number, name=name, full=full)
        self.place.expire_leases()

    @rule(number=st.integers(0, 100))
    def resume(self, number):
        identities = {snapshot.identity for snapshot in self.device.snapshots()}
        versions = [v for v in self.place.versions(INCOMPLETE) if v.source_identity in identities]
        versions = [v for v in versions if v.base is None or self.place.version(v.base).source_identity in identities]
        versions = [v for v in versions if v.base is None or self.place.version(v.base).state is VALID]
        if versions:
            version = versions[number % len(versions)]
            result = self.place.backup(name=version.name, resume=version.uid)
            assert result.version.state is VALID
            self.check(result.version)

    # -- what holds always

    @invariant()
    def others_snapshots_stay(self):
        assert self.theirs <= set(self.device.names())

    def newest_snapshot(self, name):
        """The name of the newest snapshot of our own that a valid version of this name was made from."""
        identities = {version.source_identity for version in self.place.versions(VALID) if version.name == name}
        found = [
            snapshot.name for snapshot in self.device.snapshots() if snapshot.own and snapshot.identity in identities
        ]
        return found[-1] if found else None

    def expect_tidy(self, name, keep, newest):
        """No more snapshots of our own than the rules say."""
        own = [snapshot for snapshot in self.device.snapshots() if snapshot.own]
        left = {name: keep, "incomplete": len(own)}
        versions = self.place.versions(VALID, INCOMPLETE)
        for snapshot in reversed(own):
            made = [version for version in versions if version.source_identity == snapshot.identity]
            reasons = {version.name if version.state is VALID else f"incomplete {version.name}" for version in made}
            assert f"incomplete {name}" not in reasons
            kept = [reason for reason in reasons if reason.startswith("incomplete")]
            for reason in reasons - set(kept):
                left[reason] = left.get(reason, keep) - 1
                kept += [reason] if left[reason] >= 0 else []
            assert kept, f"{snapshot.name} is needed by none"
        assert (newest.snapshot_name in [snapshot.name for snapshot in own]) == (keep > 0)


Course.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCourse = Course.TestCase
