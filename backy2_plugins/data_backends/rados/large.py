"""Blobs that are too large for one object: parts, and a *head* that names them.

Every change of such a blob is one guarded change of its head, so that it is seen whole or not at all, whoever is killed:

- A writer makes the head, ``pending``; writes the parts, whose names hold a token that he drew; then makes the head
  ``whole``, if nobody changed it meanwhile.
- Whoever deletes it makes the head ``going``; removes the parts; then removes the head, if nobody changed it.
- Only a whole head is a blob. Any other is a writer's or deleter's who may have been killed. The head names all parts
  there may be, so it can be tidied up: after a day, or by one who puts the uid again. A writer who wakes up later finds
  his head changed, and does not make it whole.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from backy2_core.api import BlobDamagedError, DataBackendError
from backy2_plugins.data_backends.rados.layout import head_name, part_name
from backy2_plugins.data_backends.rados.objects import Objects

_logger = logging.getLogger(__name__)

PENDING, WHOLE, GOING = "pending", "whole", "going"
TIDY_AFTER_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says. ``size`` bytes are in parts of ``part_size`` that were written with ``token``; ``left`` are tokens
    and numbers of parts of writers who did not come to an end. ``since`` is the time of the last change, seconds since 1970
    by the clock of who made it."""

    state: str
    size: int
    part_size: int
    token: str
    since: int
    left: tuple[tuple[str, int], ...] = ()

    def encode(self) -> bytes:
        """As the bytes of an object: JSON, so that no head is the beginning of another."""
        return json.dumps(asdict(self)).encode()

    def in_state(self, state: str) -> Head:
        """The same head, changed now."""
        return replace(self, state=state, since=int(time.time()))

    def behind(self, other: Head) -> Head:
        """The same head, in the place of an unfinished other, whose parts are not forgotten."""
        return replace(self, left=(*other.left, (other.token, len([*other.parts("")]))))

    def parts(self, uid: str) -> Iterator[tuple[str, int, int]]:
        """Name, offset and length of each part."""
        for number, offset in enumerate(range(0, self.size, self.part_size)):
            yield part_name(uid, self.token, number), offset, min(self.part_size, self.size - offset)

    def part_names(self, uid: str) -> list[str]:
        """Names of all parts that there may be, those of others who wrote before, too."""
        others = [part_name(uid, token, number) for token, count in self.left for number in range(count)]
        return [*others, *(name for name, _, _ in self.parts(uid))]


class LargeBlobs:
    """The large blobs of a store: ``heads`` is the namespace of blobs. Threads: all methods may be called at once."""

    def __init__(self, heads: Objects, parts: Objects, part_size: int) -> None:
        self._heads = heads
        self._parts = parts
        self._part_size = part_size

    def put(self, uid: str, data: memoryview) -> bool:
        """Store a blob; False if there is one of that uid, or another was faster."""
        new = Head(PENDING, len(data), self._part_size, secrets.token_hex(8), int(time.time()))
        head = self._begin(uid, new)
        if head is None:
            return False
        for name, offset, length in head.parts(uid):
            self._parts.replace(name, data[offset : offset + length])
        whole = head.in_state(WHOLE)
        # The second look is for an answer that got lost, where the library asked again.
        if self._heads.exchange(head_name(uid), head.encode(), whole.encode()) or self._read(uid) == whole:
            return True
        self._parts.remove([name for name, _, _ in head.parts(uid)])
        return False

    def get(self, uid: str, buffer: memoryview) -> int | None:
        """Read a blob into ``buffer``; its length, or None if there is none."""
        head = self._whole(uid)
        if head is None:
            return None
        if head.size > len(buffer):
            raise BlobDamagedError(
                f"blob {uid} in {self._location} has {head.size} bytes; expected at most {len(buffer)}"
            )
        for name, offset, length in head.parts(uid):
            if self._parts.read(name, buffer[offset : offset + length]) != length:
                if self._whole(uid) != head:
                    return None  # it was deleted meanwhile
                raise BlobDamagedError(
                    f"part {name} of blob {uid} in {self._location} is missing, or not {length} bytes"
                )
        return head.size

    def size(self, uid: str) -> int | None:
        """Length of a blob, or None if there is none."""
        head = self._whole(uid)
        return head.size if head else None

    def delete(self, uid: str) -> None:
        """Delete a blob, or what is left of one; no error if there is none."""
        head = self._read(uid)
        while head is not None and head.state != GOING:
            going = head.in_state(GOING)
            head = going if self._heads.exchange(head_name(uid), head.encode(), going.encode()) else self._read(uid)
        if head is not None:
            self._parts.remove(head.part_names(uid))
            self._heads.exchange(head_name(uid), head.encode(), None)

    def listed_size(self, uid: str) -> int | None:
        """As :meth:`size`; also tidies up what a killed writer or deleter left long ago, where it may."""
        head = self._read(uid)
        if head is None or head.state == WHOLE:
            return head.size if head else None
        if time.time() - head.since > TIDY_AFTER_S:
            try:
                self.delete(uid)
            except DataBackendError as error:
                # Who lists may have no right to delete.
                _logger.info("what was left of blob %s stays: %s", uid, error)
        return None

    def _begin(self, uid: str, new: Head) -> Head | None:
        """Make the head of a new blob; in the place of an unfinished one, where there is one; None if one is whole."""
        while True:
            if self._heads.create(head_name(uid), memoryview(new.encode())):
                return new
            found = self._read(uid)
            if found is not None and found.state == WHOLE:
                return None
            if found is not None and self._heads.exchange(head_name(uid), found.encode(), new.behind(found).encode()):
                return new.behind(found)

    def _whole(self, uid: str) -> Head | None:
        head = self._read(uid)
        return head if head is not None and head.state == WHOLE else None

    def _read(self, uid: str) -> Head | None:
        text = self._heads.read_whole(head_name(uid))
        if text is None:
            return None
        try:
            members = json.loads(text)
            return Head(**{**members, "left": tuple((token, count) for token, count in members["left"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BlobDamagedError(
                f"the head {head_name(uid)} in {self._location} cannot be read: {error!r}"
            ) from error

    @property
    def _location(self) -> str:
        return self._heads.cluster.options.location
