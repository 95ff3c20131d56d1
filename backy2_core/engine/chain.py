"""The chain of transforms between a clear block and a stored blob.

A chain is recorded with each blob as compact JSON: a list of steps in the order of sealing, each ``[name, parameters]``; the
empty text is the empty chain. Steps that left a block as it was are not recorded for it. If any recorded step has an
envelope, the blob's envelope is, for each step in order, a length in four bytes (little-endian) and that many bytes.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from backy2_core.contracts.transform import Transform
from backy2_core.errors import BlobDamagedError
from backy2_core.model.blob import BlobRecord

MakeTransform = Callable[[str, dict[str, str | int]], Transform]
"""Makes the transform of this name that can open what was sealed with these parameters."""


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """A block as it goes into the store, and what is recorded of how it got there."""

    data: memoryview
    transforms: str
    envelope: bytes


class Chain:
    """Seals blocks as configured, and unseals blobs as recorded. Any thread may use it."""

    def __init__(self, steps: Sequence[tuple[str, Transform]], make: MakeTransform) -> None:
        self._steps = tuple(steps)
        # What makes transforms loads plugins and reads settings, which is not made for several threads.
        self._opening = threading.Lock()
        self._opener = lru_cache(maxsize=64)(lambda spec: _open_chain(spec, make))

    @property
    def key(self) -> str:
        """Id of the key in use, or ""."""
        return next((step.key for _, step in self._steps if step.key), "")

    def seal(self, data: memoryview) -> SealedBlob:
        """Put a block through the configured steps. Without any it is the caller's own buffer."""
        if not self._steps:
            return SealedBlob(data, "", b"")
        done: list[tuple[str, dict[str, str | int]]] = []
        envelopes: list[bytes] = []
        for name, step in self._steps:
            sealed = step.seal(data)
            if sealed is not None:
                data = sealed.data
                done.append((name, step.parameters))
                envelopes.append(sealed.envelope)
        return SealedBlob(data, *describe(done, envelopes))

    def unseal(self, record: BlobRecord, data: memoryview) -> memoryview:
        """Undo the steps recorded with a blob.

        Raises :class:`BlobDamagedError` where the bytes, or what is recorded of them, are proven to be wrong, and
        :class:`backy2_core.errors.TransformError` where they cannot be opened for another reason.
        """
        if not record.transforms:
            return data
        with self._opening:
            steps = self._opener(record.transforms)
        envelopes = _split(record.envelope, len(steps))
        for step, envelope in zip(reversed(steps), reversed(envelopes), strict=True):
            data = step.unseal(data, envelope, record.size)
        return data


def describe(steps: Sequence[tuple[str, Mapping[str, str | int]]], envelopes: Sequence[bytes]) -> tuple[str, bytes]:
    """What is recorded with a blob that went through these steps, each ``(name, parameters)``: its chain and envelope.

    There is one envelope a step, in the same order; b"" for a step that needs none. Raises :class:`ValueError` where their
    numbers differ.
    """
    if len(steps) != len(envelopes):
        raise ValueError(f"{len(steps)} steps cannot have {len(envelopes)} envelopes")
    spec = json.dumps(list(steps), separators=(",", ":"), sort_keys=True) if steps else ""
    return spec, _join(envelopes)


def _open_chain(spec: str, make: MakeTransform) -> list[Transform]:
    try:
        steps = [(str(name), dict(parameters)) for name, parameters in json.loads(spec)]
    except (ValueError, TypeError) as error:
        raise BlobDamagedError(f"the chain of transforms in its record cannot be read: {spec!r}") from error
    return [make(name, parameters) for name, parameters in steps]


def _join(envelopes: Sequence[bytes]) -> bytes:
    if not any(envelopes):
        return b""
    return b"".join(struct.pack("<I", len(e)) + e for e in envelopes)


def _split(envelope: bytes, count: int) -> list[bytes]:
    if not envelope:
        return [b""] * count
    parts, at = [], 0
    for _ in range(count):
        length = int.from_bytes(envelope[at : at + 4], "little")
        parts.append(envelope[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(envelope):
        raise BlobDamagedError("the envelope in its record does not fit its chain of transforms")
    return parts
