"""Snapshots of devices that break one promise each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backy2_core.contracts.snapshots import Changes, Snapshot, Snapshots
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_core.testing.memory_snapshots import MemoryDevice, MemorySnapshots
from backy2_core.testing.snapshots import SnapshotsSubject, SnapshotsSuite
from tests.planted.fault import Faults

FAULTS = Faults("snapshots", (Snapshot, Changes, Snapshots))
plant = FAULTS.plant
SIZE = 1024 * 1024 + 512


class Right(MemorySnapshots):
    """Keeps every promise."""


class Retold(MemorySnapshots):
    """Tells of each snapshot with something changed; the base of those that tell something wrong."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return snapshot

    @property
    def named(self) -> Snapshot | None:
        found = super().named
        return found and self.retell(found)

    def list(self) -> Sequence[Snapshot]:
        return [self.retell(snapshot) for snapshot in super().list()]

    def create(self, mark: str) -> Snapshot:
        return self.retell(super().create(mark))

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return super().changes(self.told(older), self.told(newer))

    def remove(self, snapshot: Snapshot) -> None:
        super().remove(self.told(snapshot))

    def told(self, snapshot: Snapshot) -> Snapshot:
        return next((s for s in super().list() if self.retell(s).identity == snapshot.identity), snapshot)


# -- what is told of a snapshot


@plant("name is what people call it")
class HasNoName(Retold):
    """Tells no name."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, name="")


@plant("a text of at most 1000 letters that no other snapshot has")
class TalksTooMuch(Retold):
    """Has an identity of 2000 letters."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, identity=snapshot.identity.ljust(2000, "-"))


@plant("that no other snapshot has, on no other device, ever: neither one of the same name made later")
class IsItsName(MemoryDevice):
    """Has its name for an identity, which a later one may have too."""

    def _snapshot(self, taken: Any) -> Snapshot:
        return replace(super()._snapshot(taken), identity=f"{self.url}@{taken.name}")


@plant("nor one of a device that was made anew under the same name")
class CountsOnEachDevice(MemoryDevice):
    """Counts snapshots on each device, so that those of one made anew are those of the old one again."""

    def _snapshot(self, taken: Any) -> Snapshot:
        number = [other.serial for other in self._taken].index(taken.serial)
        return replace(super()._snapshot(taken), identity=f"{self.url}@{number}{taken.name[-40:]}")


@plant("It is the identity of the source that is opened by url.")
class OpensAnotherIdentity(MemoryDevice):
    """Opens a snapshot as a source of another identity."""

    def open_source(self, url: str) -> Any:
        source = super().open_source(url)
        source._identity += "!"
        return source


@plant("the source that is opened by url")
class OpensTheDevice(Retold):
    """Has the device's URL, which opens it as it is now."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, url=self._device.url)


@plant("own is True if this program made it for a backup")
class OwnsAll(Retold):
    """Takes all for its own."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, own=True)


@plant("own is True if this program made it for a backup, on whatever host and for whatever database")
class OwnsWhatItMade(Retold):
    """Takes for its own only what the same object made."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._made: set[str] = set()

    def create(self, mark: str) -> Snapshot:
        self._made.add(mark)
        return super().create(mark)

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, own=snapshot.mark in self._made)


@plant("mark is then what Snapshots.create was given", "so that it is found by list on any host")
class ForgetsMarks(Retold):
    """Tells no mark."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, mark="")


@plant("of any other snapshot it is empty")
class MarksAll(Retold):
    """Takes the name of a snapshot of others for a mark."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, mark=snapshot.mark or snapshot.name)


@plant("created is aware, in UTC")
class HasNoZone(Retold):
    """Tells a time without a zone."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, created=snapshot.created.replace(tzinfo=None))


@plant("created is aware, in UTC")
class TellsLocalTime(Retold):
    """Tells local time as if it were UTC."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, created=snapshot.created + timedelta(hours=2))


# -- changes


class Retelling(MemorySnapshots):
    """Tells other changes; the base of those that tell them wrongly."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return extents

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return Changes(iter(self.retell(list(super().changes(older, newer).extents))))


@plant(
    "every byte that may differ lies within one of them",
    "Nothing that changed is left out, as far as the device knows; more may be in it.",
)
class ForgetsTheLastChange(Retelling):
    """Leaves the last out."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return extents[:-1]


@plant("every byte that may differ lies within one of them")
class TellsHalfASector(Retelling):
    """Leaves out the second half of each sector."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return [Extent(e.offset, -(-e.length // 2), e.exists) for e in extents]


@plant("every byte that may differ lies within one of them")
class TellsNoEnd(Retelling):
    """Leaves out what lies in the last MiB that is not whole."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return [e for e in extents if e.end <= 1024 * 1024]


@plant("exists is False where the newer one reads as zeros")
class CallsAllGone(Retelling):
    """Says that what changed reads as zeros."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return [Extent(e.offset, e.length, False) for e in extents]


@plant("Nothing that changed is left out, as far as the device knows; more may be in it.")
class TellsNoDiscards(Retelling):
    """Leaves out what was discarded."""

    def retell(self, extents: list[Extent]) -> list[Extent]:
        return [e for e in extents if e.exists]


@plant("Nothing that changed is left out, as far as the device knows; more may be in it.")
class ComparesWithNow(MemorySnapshots):
    """Compares the newer one with the last, not with the older that was named."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        super().changes(older, newer)
        known = list(self.list())
        before = known[max(0, [s.identity for s in known].index(newer.identity) - 1)]
        return super().changes(before, newer)


@plant("Nothing that changed is left out, as far as the device knows; more may be in it.")
class TellsNothingAfterARollBack(MemoryDevice):
    """Does not know what changed by going back."""

    _rolled: Any = None

    def roll_back(self, name: str) -> None:
        before = bytes(self.content)
        super().roll_back(name)
        self._rolled = before

    def compare(self, older: Snapshot, newer: Snapshot) -> Iterator[Extent]:
        for extent in super().compare(older, newer):
            piece = slice(extent.offset, extent.end)
            if self._rolled is None or self._rolled[piece] == self._same(newer).content[piece]:
                yield extent


@plant("They are read once, to their end, before anything else is asked; SourceError may come meanwhile.")
class TellsAList(MemorySnapshots):
    """Gives a list in place of an iterator."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return Changes(list(super().changes(older, newer).extents))  # type: ignore[arg-type]


@plant("remarks are sentences for the administrator")
class RemarksInOneText(MemorySnapshots):
    """Remarks in one text, each letter of which would be a sentence."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return Changes(super().changes(older, newer).extents, "no object map")


@plant("Raises SourceError if one of them is gone, also where another of the same name took its place.")
class ComparesByName(MemoryDevice):
    """Compares whatever has the names."""

    def _same(self, snapshot: Snapshot) -> Any:
        return self._find(snapshot.name)


@plant("Raises SourceError if one of them is gone")
class TellsAllForWhatIsGone(MemorySnapshots):
    """Tells the whole device where the older one is gone."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        try:
            extents = list(super().changes(older, newer).extents)
        except SourceError:
            extents = [Extent(0, newer.size_bytes)]
        return Changes(iter(extents))


@plant("Errors of the system or a library become backy2_core.errors.SourceError")
class LetsErrorsOut(MemoryDevice):
    """Lets the error of a library out."""

    def _find(self, name: str) -> Any:
        return {taken.name: taken for taken in self._taken}[name]


@plant("with the URL in the message")
class SaysNothing(MemoryDevice):
    """Does not say what is gone."""

    def _find(self, name: str) -> Any:
        try:
            return super()._find(name)
        except SourceError:
            raise SourceError("no such snapshot") from None


@plant("with the URL in the message")
class SaysNothingOfHeld(MemoryDevice):
    """Does not say what is in use."""

    def remove(self, snapshot: Snapshot) -> None:
        try:
            super().remove(snapshot)
        except SourceError:
            raise SourceError("in use") from None


# -- listing


@plant("The one that the URL names, which is to be backed up and kept; None if it names the device as it is now.")
class NamesNothing(MemorySnapshots):
    """Takes a URL that names a snapshot for that of the device."""

    @property
    def named(self) -> Snapshot | None:
        return None


@plant("The one that the URL names, which is to be backed up and kept; None if it names the device as it is now.")
class NamesTheLast(MemorySnapshots):
    """Takes the last snapshot for the one that was named."""

    @property
    def named(self) -> Snapshot | None:
        return next(iter(self.list()[::-1]), None)


@plant("All that can be opened, oldest first: one can be compared with any behind it.")
class SortsByName(MemorySnapshots):
    """Lists by name."""

    def list(self) -> Sequence[Snapshot]:
        return sorted(super().list(), key=lambda snapshot: snapshot.name)


@plant("All that can be opened, oldest first: one can be compared with any behind it.")
class ListsNewestFirst(MemorySnapshots):
    """Lists the newest first."""

    def list(self) -> Sequence[Snapshot]:
        return list(super().list())[::-1]


@plant("All that can be opened, oldest first: one can be compared with any behind it.")
class ListsItsOwn(MemorySnapshots):
    """Leaves out what others made."""

    def list(self) -> Sequence[Snapshot]:
        return [snapshot for snapshot in super().list() if snapshot.own]


@plant("Read anew at each call.", "Other programs may make and remove snapshots meanwhile.")
class ListsWhatItKnew(MemorySnapshots):
    """Lists what was there when it was first asked, and what it made or removed itself."""

    _known: list[Snapshot] | None = None

    def list(self) -> Sequence[Snapshot]:
        if self._known is None:
            self._known = [*super().list()]
        return self._known

    def create(self, mark: str) -> Snapshot:
        self._known = None
        return super().create(mark)

    def remove(self, snapshot: Snapshot) -> None:
        self._known = None
        super().remove(snapshot)


# -- making


@plant("Make one of the device as it is now")
class SnapsTheLast(MemorySnapshots):
    """Makes a snapshot of what the last one holds."""

    def create(self, mark: str) -> Snapshot:
        made = super().create(mark)
        taken = self._device._taken
        if len(taken) > 1:
            taken[-1] = replace(taken[-1], content=taken[-2].content[: len(taken[-1].content)])
        return made


@plant("its name is new")
class ReusesAName(MemorySnapshots):
    """Calls all of its snapshots alike, and replaces the last."""

    def create(self, mark: str) -> Snapshot:
        if "backy2" in self._device.names():
            self._device.drop("backy2")
        return self._device.take("backy2", mark)


@plant("own is True, and mark is what is given here")
class MakesForOthers(MemorySnapshots):
    """Returns a snapshot that is not its own."""

    def create(self, mark: str) -> Snapshot:
        return replace(super().create(mark), own=False, mark="")


@plant("The mark is another for each call, 1 to 32 letters (a to z) and digits.")
class CutsMarks(MemorySnapshots):
    """Keeps 16 letters of the mark."""

    def create(self, mark: str) -> Snapshot:
        return super().create(mark[:16])


@plant("The mark is another for each call, 1 to 32 letters (a to z) and digits.")
class RefusesShortMarks(MemorySnapshots):
    """Takes marks of 16 letters and more."""

    def create(self, mark: str) -> Snapshot:
        if len(mark) < 16:
            raise SourceError(f"{self._device.url}: {mark} is too short")
        return super().create(mark)


@plant("It must be kept with the snapshot itself, best as a part of its name, so that it is found by list on any host.")
class KeepsMarksToItself(Retold):
    """Keeps marks in memory."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._marks: set[str] = set()

    def create(self, mark: str) -> Snapshot:
        self._marks.add(mark)
        return super().create(mark)

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return snapshot if snapshot.mark in self._marks else replace(snapshot, mark="")


@plant("Make one of the device as it is now")
class TellsAnotherThanItMade(Retold):
    """Tells another size than the snapshot has."""

    def retell(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, size_bytes=SIZE)


# -- removing


@plant("Remove one whose own is True.")
class RemovesNothing(MemorySnapshots):
    """Removes nothing."""

    def remove(self, snapshot: Snapshot) -> None:
        if not snapshot.own or snapshot.name in self._device.held:
            super().remove(snapshot)


@plant("One that is not there any more is no error")
class MissesWhatIsGone(MemorySnapshots):
    """Complains of one that is not there."""

    def remove(self, snapshot: Snapshot) -> None:
        self._device.content_of(snapshot.name)
        super().remove(snapshot)


@plant("and one of the same name but of another identity stays")
class RemovesByName(MemorySnapshots):
    """Removes whatever has the name."""

    def remove(self, snapshot: Snapshot) -> None:
        found = [s for s in self._device.snapshots() if s.name == snapshot.name]
        if snapshot.own and found and snapshot.name not in self._device.held:
            self._device.drop(snapshot.name)
        else:
            super().remove(snapshot)


@plant("Raises SourceError where others use it, a clone for one, and for one that is not own; it stays then.")
class RemovesWhatOthersUse(MemorySnapshots):
    """Removes a snapshot that others use."""

    def remove(self, snapshot: Snapshot) -> None:
        self._device.held.discard(snapshot.name)
        super().remove(snapshot)


@plant("Raises SourceError where others use it, a clone for one, and for one that is not own; it stays then.")
class LeavesWhatOthersUse(MemorySnapshots):
    """Says nothing of a snapshot that others use."""

    def remove(self, snapshot: Snapshot) -> None:
        if snapshot.name not in self._device.held:
            super().remove(snapshot)


@plant("and for one that is not own; it stays then")
class RemovesWhatOthersMade(MemorySnapshots):
    """Removes what others made."""

    def remove(self, snapshot: Snapshot) -> None:
        super().remove(replace(snapshot, own=True))


@plant("and for one that is not own; it stays then")
class LeavesWhatOthersMade(MemorySnapshots):
    """Says nothing of what others made."""

    def remove(self, snapshot: Snapshot) -> None:
        if snapshot.own:
            super().remove(snapshot)


@plant("and for one that is not own; it stays then")
class ComplainsAndRemoves(MemorySnapshots):
    """Complains of what others made or use, and removes it."""

    def remove(self, snapshot: Snapshot) -> None:
        try:
            super().remove(snapshot)
        except SourceError:
            self._device.drop(snapshot.name)
            raise


@plant("Release everything. Calling it twice does nothing.", "Calling it twice does nothing.")
class ClosesOnce(MemorySnapshots):
    """Complains when it is closed twice."""

    _closed = False

    def close(self) -> None:
        if self._closed:
            raise SourceError(f"{self._device.url} was closed already")
        self._closed = True


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of device or of its snapshots."""

    class OnADevice(SnapshotsSuite):
        @pytest.fixture
        def subject(self) -> SnapshotsSubject:
            device = (kind if issubclass(kind, MemoryDevice) else MemoryDevice)(bytes(SIZE))

            def take(name: str) -> None:
                device.take(name)

            return SnapshotsSubject(
                open=lambda name: (kind if issubclass(kind, Snapshots) else MemorySnapshots)(device, name),
                open_source=device.open_source,
                size_bytes=SIZE,
                write=device.write,
                take=take,
                drop=device.drop,
                discard=device.discard,
                resize=device.resize,
                roll_back=device.roll_back,
                recreate=lambda: device.recreate(bytes(SIZE)),
                hold=device.held.add,
            )

    return OnADevice


globals().update(FAULTS.suites(suite_of, Right))
