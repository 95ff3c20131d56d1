"""The least that fills a role: a transform that changes nothing, and a listener that remembers."""

from __future__ import annotations

from backy2_core.contracts.listener import Listener
from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError
from backy2_core.model.event import Event


class IdentityTransform(Transform):
    """Seals every block as it is, in a copy with its length before it."""

    @property
    def parameters(self) -> dict[str, str | int]:
        """The version of this format, which is the only one."""
        return {"format": 1}

    def seal(self, data: memoryview) -> Sealed | None:
        """A copy."""
        return Sealed(memoryview(len(data).to_bytes(_LENGTH_BYTES, "big") + data))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        """A copy, without the length."""
        length = len(data) - _LENGTH_BYTES
        if length < 0 or int.from_bytes(data[:_LENGTH_BYTES], "big") != length:
            raise BlobDamagedError(f"identity: {len(data)} bytes that were not sealed by this transform, or were cut")
        if length > clear_size:
            raise BlobDamagedError(f"identity: a block of {length} bytes; expected at most {clear_size}")
        return memoryview(bytes(data[_LENGTH_BYTES:]))


class RecordingListener(Listener):
    """Remembers the ``events`` that it was told of, and whether it was ``closed``."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def notify(self, event: Event) -> None:
        """Remember one."""
        self.events.append(event)

    def close(self) -> None:
        """Remember that, too."""
        self.closed = True


_LENGTH_BYTES = 8
