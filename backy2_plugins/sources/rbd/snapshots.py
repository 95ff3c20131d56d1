"""The snapshots of an image: listing, making, comparing and removing them."""

from __future__ import annotations

import builtins
import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from backy2_core.api import Changes, Snapshot, Snapshots, SourceError
from backy2_plugins.sources.rbd import asking, bindings, extents, ownership
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import OF_THE_TRASH, OF_USERS, Connection
from backy2_plugins.sources.rbd.differ import Point, Question
from backy2_plugins.sources.rbd.failures import failure, translated
from backy2_plugins.sources.rbd.reading import snapshot_identity
from backy2_plugins.sources.rbd.url import parse


class RbdSnapshots(Snapshots):
    """The snapshots of the image that was called so when it was opened, also if it is renamed meanwhile.

    Listing needs no right to write. The image is opened anew for each call, so that what others do is seen.
    """

    def __init__(self, url: str, access: Access, *, pattern: str) -> None:
        self._access = access
        self._pattern = ownership.check_pattern(pattern)
        self._name = parse(url, SourceError)
        self._url = self._name.place.url(self._name.image)
        with ExitStack() as undo:
            self._connection = undo.enter_context(Connection(access, url, self._name.place, SourceError))
            self._pool_identity = self._connection.pool_identity()
            image = self._connection.open_image(self._name)
            with translated(SourceError, f"open {url}"):
                try:
                    self._image_id = str(image.id())
                finally:
                    image.close()
            self._undo = undo.pop_all()

    @property
    def named(self) -> Snapshot | None:
        """The one that the URL names; raises :class:`SourceError` if it is gone."""
        name = self._name.snapshot
        if name is None:
            return None
        for snapshot in self.list():
            if snapshot.name == name:
                return snapshot
        raise SourceError(f"{self._url} has no snapshot {name} any more")

    def list(self) -> Sequence[Snapshot]:
        """Those that people and programs made, in the order in which they were made."""
        with self._image(f"list the snapshots of {self._url}") as image:
            return self._list(image)

    def create(self, mark: str) -> Snapshot:
        """Make one whose name holds the mark, after an entry in the image's metadata that says so.

        Finishes removals before that were cut short: librbd moves a snapshot to the trash first, and leaves it there if it
        is killed then.
        """
        now = datetime.now(UTC)
        name = ownership.new_name(self._pattern, mark, now)
        with self._image(f"make snapshot {name} of {self._url}", self._quotas(), writable=True) as image:
            self._finish_removals(image)
            ownership.tidy(image, [_first_name(snapshot) for snapshot in image.list_snaps()], now)
            ownership.claim(image, name, mark, now)
            image.create_snap(name)
            return next(snapshot for snapshot in self._list(image) if snapshot.name == name)

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        """What differs, object by object as the OSDs know it."""
        with self._image(f"compare {older.url} with {newer.url}") as image:
            points = [self._point(image, snapshot) for snapshot in (older, newer)]
            remarks = self._remarks(image, older, newer)
        question = Question(self._access, self._name, self._image_id, newer=points[1], older=points[0])
        return Changes(asking.extents(asking.windows(question)), remarks)

    def remove(self, snapshot: Snapshot) -> None:
        """Remove one by its id, and then its entry in the metadata."""
        with self._image(f"remove {snapshot.url}", writable=True) as image:
            for found in self._list(image):
                if found.identity == snapshot.identity:
                    self._remove(image, found)

    def close(self) -> None:
        """Close the connection. Calling it twice does nothing."""
        self._undo.close()

    @contextmanager
    def _image(self, action: str, advice: Mapping[int, str] | None = None, *, writable: bool = False) -> Iterator[Any]:
        with (
            self._connection.image(self._name, self._image_id, writable=writable) as image,
            translated(SourceError, action, advice),
        ):
            yield image

    def _quotas(self) -> Mapping[int, str]:
        """What to do where no snapshot may be made."""
        path, pool = self._name.path, self._name.place.pool
        return {
            errno.EDQUOT: "the limit of snapshots of this image is reached (raise it with `rbd snap limit set --limit N "
            f"{path}`, or lift it with `rbd snap limit clear {path}`), or the quota of the pool is used up (see "
            f"`ceph osd pool get-quota {pool}`)"
        }

    def _list(self, image: Any) -> builtins.list[Snapshot]:
        marks = ownership.marks(image)
        found = sorted((s for s in image.list_snaps() if s["namespace"] == OF_USERS), key=lambda s: int(s["id"]))
        return [self._snapshot(image, snapshot, marks.get(snapshot["name"], "")) for snapshot in found]

    def _snapshot(self, image: Any, told: dict[str, Any], mark: str) -> Snapshot:
        return Snapshot(
            name=told["name"],
            identity=self._identity(told["id"]),
            url=f"{self._url}@{told['name']}",
            size_bytes=told["size"],
            # The library gives UTC, without saying so.
            created=image.get_snap_timestamp(told["id"]).replace(tzinfo=UTC),
            own=bool(mark),
            mark=mark,
        )

    def _identity(self, snapshot_id: int) -> str:
        return snapshot_identity(self._pool_identity, self._image_id, snapshot_id)

    def _point(self, image: Any, snapshot: Snapshot) -> Point:
        """The snapshot's id, where it is there still; else :class:`SourceError`."""
        for told in image.list_snaps():
            if told["namespace"] == OF_USERS and self._identity(told["id"]) == snapshot.identity:
                return Point(int(told["id"]), told["name"])
        advice = {errno.ENOENT: "it is gone, or another one has its name"}
        raise failure(SourceError, f"compare {snapshot.url}", errno.ENOENT, advice)

    def _remarks(self, image: Any, older: Snapshot, newer: Snapshot) -> Sequence[str]:
        """What the object maps of two snapshots lack, and how to mend it so that the next backup lacks nothing."""
        lacking = [snapshot for snapshot in (older, newer) if self._lacks_map(image, snapshot)]
        image.set_snap(None)
        if not lacking:
            return ()
        slower = "so each of its objects is asked for, which is slower"
        path, missing = self._name.path, extents.missing_features(image)
        # A new snapshot takes over the map of the image. Where one with an invalid map is removed, librbd makes that of the
        # next one invalid, too. So the newer one is to be mended as well, and after the older one went.
        invalid = [path] if missing or image.flags() else []
        rebuild = " and ".join(f"`rbd object-map rebuild {which}`" for which in (*invalid, f"{path}@{newer.name}"))
        if missing:
            enable = f"`rbd feature enable {path} {' '.join(missing)}`"
            return (
                f"{self._url} has no object map, {slower}; to have one when this backup is done: {enable}, then {rebuild}",
            )
        urls = " and of ".join(snapshot.url for snapshot in lacking)
        return (f"the object map of {urls} is invalid, {slower}; mend it when this backup is done, with {rebuild}",)

    def _lacks_map(self, image: Any, snapshot: Snapshot) -> bool:
        """Whether a map that would help is not there, or invalid."""
        image.set_snap(snapshot.name)
        return not (extents.has_trusted_map(image) or extents.is_striped(image) or extents.has_parent(image))

    def _remove(self, image: Any, snapshot: Snapshot) -> None:
        if not snapshot.own:
            raise SourceError(f"{snapshot.url} is not removed: it was not made by backy2")
        if image.is_protected_snap(snapshot.name):
            raise SourceError(
                f"{snapshot.url} is not removed: it is protected; `rbd snap unprotect {self._name.path}@{snapshot.name}`"
            )
        image.set_snap(snapshot.name)
        clones = [f"{clone['pool']}/{clone['image']}" for clone in image.list_children2()]
        image.set_snap(None)
        if clones:
            raise SourceError(
                f"{snapshot.url} is not removed: clones depend on it, such as {clones[0]}; `rbd flatten` or remove them"
            )
        _take_away(image, int(snapshot.identity.rpartition("@")[2]), snapshot.name)

    def _finish_removals(self, image: Any) -> None:
        marks = ownership.marks(image)
        for told in image.list_snaps():
            if told["namespace"] == OF_THE_TRASH and _first_name(told) in marks:
                with suppress(bindings.rbd().ImageBusy):  # a clone needs it, which somebody made before it was removed
                    _take_away(image, int(told["id"]), _first_name(told))


def _first_name(told: dict[str, Any]) -> str:
    """The name that a snapshot was given, also where it is in the trash."""
    return str(told["trash"]["original_name"] if told["namespace"] == OF_THE_TRASH else told["name"])


def _take_away(image: Any, number: int, name: str) -> None:
    """Remove a snapshot, and then its entry."""
    with suppress(bindings.rbd().ImageNotFound):  # another process was quicker
        image.remove_snap_by_id(number)
    ownership.disclaim(image, name)
