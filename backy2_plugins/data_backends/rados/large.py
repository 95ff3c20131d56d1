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
    """What a head says. ``tokens`` are those of all who wrote parts; the last one's are the blob. ``since`` is the time of
    the last change, seconds since 1970 by the clock of who made it."""

    state: str
    size: int
    part_size: int
    tokens: tuple[str, ...]
    since: int

    def encode(self) -> bytes:
        """As the bytes of an object: JSON, so that no head is the beginning of another."""
        return json.dumps(asdict(self)).encode()

    def in_state(self, state: str) -> Head:
        """The same head, changed now."""
        return replace(self, state=state, since=int(time.time()))

    def parts(self, uid: str, token: str) -> Iterator[tuple[str, int, int]]:
        """Name, offset and length of each part that was, or was to be, written with a token."""
        for number, offset in enumerate(range(0, self.size, self.part_size)):
            yield part_name(uid, token, number), offset, min(self.part_size, self.size - offset)


class LargeBlobs:
    """The large blobs of a store: ``heads`` is the namespace of blobs. Threads: all methods may be called at once."""

    def __init__(self, heads: Objects, parts: Objects, part_size: int) -> None:
        self._heads = heads
        self._parts = parts
        self._part_size = part_size

    def put(self, uid: str, data: memoryview) -> bool:
        """Store a blob; False if there is one of that uid, or another was faster."""
        token = secrets.token_hex(8)
        head = Head(PENDING, len(data), self._part_size, (token,), int(time.time()))
        if not self._heads.create(head_name(uid), memoryview(head.encode())):
            taken = self._take_over(uid, head)
            if taken is None:
                return False
            head = taken
        for name, offset, length in head.parts(uid, token):
            self._parts.replace(name, data[offset : offset + length])
        whole = head.in_state(WHOLE)
        # The second look is for an answer that got lost, where the library asked again.
        if self._heads.exchange(head_name(uid), head.encode(), whole.encode()) or self._read(uid) == whole:
            return True
        self._parts.remove([name for name, _, _ in head.parts(uid, token)])
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
        for name, offset, length in head.parts(uid, head.tokens[-1]):
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
            for token in head.tokens:
                self._parts.remove([name for name, _, _ in head.parts(uid, token)])
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

    def _take_over(self, uid: str, head: Head) -> Head | None:
        """Make an unfinished head ours, with its parts to be removed some day; None if it is finished."""
        found = self._read(uid)
        if found is not None and found.state == WHOLE:
            return None
        if found is not None and (found.size, found.part_size) == (head.size, head.part_size):
            ours = replace(head, tokens=found.tokens + head.tokens)
            if self._heads.exchange(head_name(uid), found.encode(), ours.encode()):
                return ours
        raise DataBackendError(f"blob {uid} is being put or deleted by another in {self._location}", retryable=True)

    def _whole(self, uid: str) -> Head | None:
        head = self._read(uid)
        return head if head is not None and head.state == WHOLE else None

    def _read(self, uid: str) -> Head | None:
        text = self._heads.read_whole(head_name(uid))
        if text is None:
            return None
        try:
            members = json.loads(text)
            return Head(**{**members, "tokens": tuple(members["tokens"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BlobDamagedError(
                f"the head {head_name(uid)} in {self._location} cannot be read: {error!r}"
            ) from error

    @property
    def _location(self) -> str:
        return self._heads.cluster.options.location
