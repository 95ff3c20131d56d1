"""Contract of transforms: reversible changes of a blob's bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sealed:
    """A transform's result: the changed bytes, and what is needed to open just these, if it is not within them."""

    data: memoryview
    envelope: bytes = b""


class Transform(ABC):
    """One step of the chain between a clear block and a stored blob.

    Threads: both methods are called from several threads at once. Buffers belong to the caller; what is returned belongs
    to the caller too, and the transform keeps neither. A buffer may be read-only, and is never changed.

    Errors become :class:`backy2_core.errors.TransformError`, which proves nothing about the blob and ends the job; except
    where the bytes are proven not to be what was sealed, see :meth:`unseal`. A missing key, or another one than the
    bytes were sealed with, is a :class:`backy2_core.errors.KeyringError`.
    """

    @property
    @abstractmethod
    def parameters(self) -> dict[str, str | int]:
        """What must be known to open what this object seals, recorded with each blob; never a secret. Does not change.

        The hook is given them back as they are.
        """

    @property
    def key(self) -> str:
        """Id of the key in use, or "" for none."""
        return ""

    @property
    def packs(self) -> bool:
        """True for a step that makes blocks smaller by what repeats in them. Behind a step with a key it would find nothing
        that does, so a configuration that puts it there is refused."""
        return False

    @abstractmethod
    def seal(self, data: memoryview) -> Sealed | None:
        """The changed bytes, or None if this block, of 1 byte to 64 MiB, is better left as it is (the step is then not
        recorded)."""

    @abstractmethod
    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        """Undo :meth:`seal`; a result of more than ``clear_size`` bytes is refused, and never unpacked in memory.

        Raises :class:`backy2_core.errors.BlobDamagedError` where the bytes are proven not to be those that were sealed (no
        such frame, a wrong tag under the right key): the block is then reported as damaged, and the job goes on. Bytes that
        were cut short are always refused.
        """
