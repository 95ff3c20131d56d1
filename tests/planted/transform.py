"""Transforms that break one promise each."""

from __future__ import annotations

import hmac
import os
import time
import zlib
from typing import Any, ClassVar

import pytest

from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, KeyringError, TransformError
from backy2_core.testing.keys import FixedKeyring
from backy2_core.testing.transform import MakeTransform, TransformSuite
from tests.planted.fault import Faults

FAULTS = Faults("transform", (Sealed, Transform))
plant = FAULTS.plant
A_WHILE_S = 0.002
TAG_BYTES = 16
RING, OTHER_RING = FixedKeyring("one"), FixedKeyring("two")
SECRET = RING.derive("planted").hex()


class Right(Transform):
    """Keeps every promise: packs, then signs with a key. Hides nothing, which the suite cannot see."""

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        self._key = keyring.derive("planted")
        self._key_id = keyring.key_id
        if recorded is not None and recorded.get("key") != keyring.key_id:
            raise self.wrong_key(recorded)

    def wrong_key(self, recorded: dict[str, str | int]) -> Exception:
        return KeyringError(f"sealed under key {recorded.get('key')}; here is {self._key_id}")

    def damaged(self, reason: str) -> Exception:
        return BlobDamagedError(f"planted: {reason}")

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"format": 1, "key": self._key_id}

    @property
    def key(self) -> str:
        return self._key_id

    def sign(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:TAG_BYTES]

    def seal(self, data: memoryview) -> Sealed | None:
        packed = zlib.compress(data, 1)
        return Sealed(memoryview(packed + self.sign(packed)))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        packed, tag = bytes(data[:-TAG_BYTES]), bytes(data[-TAG_BYTES:])
        if not self.fits(packed, tag):
            raise self.damaged("a wrong tag")
        unpacker = zlib.decompressobj()
        try:
            clear = unpacker.decompress(packed, self.room(clear_size))
        except zlib.error as error:
            raise self.damaged(str(error)) from error
        if len(clear) > clear_size or not unpacker.eof:
            raise self.too_large(clear_size)
        return memoryview(clear)

    def fits(self, packed: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(self.sign(packed), tag)

    def room(self, clear_size: int) -> int:
        return clear_size + 1

    def too_large(self, clear_size: int) -> Exception:
        return self.damaged(f"more than {clear_size} bytes")


# -- threads and buffers


@plant("both methods are called from several threads at once")
class SealsThroughOneBuffer(Right):
    """All seals go through one buffer."""

    _room = b""

    def seal(self, data: memoryview) -> Sealed | None:
        self._room = bytes(data)
        time.sleep(A_WHILE_S)
        return super().seal(memoryview(self._room))


@plant("both methods are called from several threads at once")
class OpensThroughOneBuffer(Right):
    """All that is opened goes through one buffer."""

    _room = memoryview(b"")

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        self._room = super().unseal(data, envelope, clear_size)
        time.sleep(A_WHILE_S)
        return self._room


@plant("what is returned belongs to the caller too, and the transform keeps neither")
class ReturnsOneBuffer(Right):
    """Returns the same buffer at each call."""

    _room = bytearray()

    def seal(self, data: memoryview) -> Sealed | None:
        sealed = super().seal(data)
        assert sealed is not None
        if len(self._room) < len(sealed.data):
            self._room = bytearray(len(sealed.data))
        self._room[: len(sealed.data)] = sealed.data
        return Sealed(memoryview(self._room)[: len(sealed.data)])


@plant("what is returned belongs to the caller too, and the transform keeps neither")
class OpensIntoOneBuffer(Right):
    """Opens into the same buffer at each call."""

    _room = bytearray()

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        clear = super().unseal(data, envelope, clear_size)
        if len(self._room) < len(clear):
            self._room = bytearray(len(clear))
        self._room[: len(clear)] = clear
        return memoryview(self._room)[: len(clear)]


@plant("Buffers belong to the caller")
class HoldsAView(Right):
    """Holds a view of the block that was sealed last."""

    def seal(self, data: memoryview) -> Sealed | None:
        self.last = memoryview(data)
        return super().seal(data)


@plant("Buffers belong to the caller")
class HoldsAViewOfWhatItOpened(Right):
    """Holds a view of what was opened last."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        self.last = memoryview(data)
        return super().unseal(data, envelope, clear_size)


@plant("Buffers belong to the caller")
class ReturnsTheInput(Right):
    """Stores what does not pack as a view of the caller's buffer."""

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(data, b"stored" + self.sign(bytes(data)))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        if envelope != b"stored" + self.sign(bytes(data)) or len(data) > clear_size:
            raise self.damaged("a wrong tag")
        return memoryview(bytes(data))


@plant("what is returned belongs to the caller too, and the transform keeps neither")
class OpensAView(Right):
    """Returns a view of the sealed bytes."""

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(memoryview(bytes(data) + self.sign(bytes(data))))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        clear, tag = data[:-TAG_BYTES], bytes(data[-TAG_BYTES:])
        if not self.fits(bytes(clear), tag) or len(clear) > clear_size:
            raise self.damaged("a wrong tag")
        return clear


@plant("A buffer may be read-only, and is never changed.")
class ChangesItsInput(Right):
    """Turns the bits of the block over while it works."""

    def seal(self, data: memoryview) -> Sealed | None:
        sealed = super().seal(data)
        if not data.readonly:
            data[0] ^= 0xFF
        return sealed


@plant("A buffer may be read-only, and is never changed.")
class ChangesWhatItOpens(Right):
    """Wipes what it opened."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        clear = super().unseal(data, envelope, clear_size)
        if not data.readonly:
            data[:] = bytes(len(data))
        return clear


@plant("A buffer may be read-only")
class NeedsAWritableBlock(Right):
    """Seals only what it may write to."""

    def seal(self, data: memoryview) -> Sealed | None:
        if data.readonly:
            raise TransformError("planted: the buffer is read-only")
        return super().seal(data)


@plant("A buffer may be read-only")
class NeedsAWritableBlob(Right):
    """Opens only what it may write to."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        if data.readonly:
            raise TransformError("planted: the buffer is read-only")
        return super().unseal(data, envelope, clear_size)


# -- errors and keys


@plant("Errors become backy2_core.errors.TransformError", "except where the bytes are proven not to be what was sealed")
class LetsErrorsOut(Right):
    """Lets the error of a library out."""

    def damaged(self, reason: str) -> Exception:
        return zlib.error(reason)


@plant(
    "Raises backy2_core.errors.BlobDamagedError where the bytes are proven not to be those that were sealed",
    detects_damage=True,
)
class ProvesNothing(Right):
    """Says that something is wrong, and not that the blob is damaged."""

    def damaged(self, reason: str) -> Exception:
        return TransformError(f"planted: {reason}")


@plant(
    "A missing key, or another one than the bytes were sealed with, is a backy2_core.errors.KeyringError.",
)
class CallsAWrongKeyDamage(Right):
    """Takes a wrong key for damage."""

    def wrong_key(self, recorded: dict[str, str | int]) -> Exception:
        return BlobDamagedError("planted: a wrong tag")


@plant("A missing key, or another one than the bytes were sealed with, is a backy2_core.errors.KeyringError.")
class CallsAWrongKeyAnError(Right):
    """Does not say that it is the key."""

    def wrong_key(self, recorded: dict[str, str | int]) -> Exception:
        return TransformError("planted: cannot be opened")


@plant("A missing key, or another one than the bytes were sealed with, is a backy2_core.errors.KeyringError.")
class TakesAnyKey(Right):
    """Does not look at the recorded key; what was sealed with another is then damaged."""

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        super().__init__(None, keyring)


@plant("A missing key, or another one than the bytes were sealed with, is a backy2_core.errors.KeyringError.")
class OpensWithAnyKey(Right):
    """Opens under a wrong key too."""

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        super().__init__(None, keyring)
        self._key = b"one for all"


# -- what is told


@plant("never a secret")
class RecordsItsKey(Right):
    """Records the key itself."""

    @property
    def parameters(self) -> dict[str, str | int]:
        return {**super().parameters, "secret": self._key.hex()}


@plant("never a secret")
class ShowsItsKey(Right):
    """Shows its key where it is printed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key.hex()})"


@plant("never a secret")
class TellsItsKey(Right):
    """Tells its key in the message of an error."""

    def damaged(self, reason: str) -> Exception:
        return BlobDamagedError(f"planted: {reason} under {self._key.hex()}")


@plant("recorded with each blob; never a secret. Does not change.")
class CountsInParameters(Right):
    """Counts in its parameters."""

    _asked = 0

    @property
    def parameters(self) -> dict[str, str | int]:
        self._asked += 1
        return {**super().parameters, "asked": self._asked}


@plant("Does not change.")
class SharesItsParameters(Right):
    """Changes its parameters when it has sealed."""

    _sealed = 0

    @property
    def parameters(self) -> dict[str, str | int]:
        return {**super().parameters, "sealed": self._sealed}

    def seal(self, data: memoryview) -> Sealed | None:
        self._sealed += 1
        return super().seal(data)


@plant("The hook is given them back as they are.")
class RecordsBytes(Right):
    """Records what cannot be kept as text."""

    @property
    def parameters(self) -> dict[str, str | int]:
        return {**super().parameters, "salt": b"\x00\xff"}  # type: ignore[dict-item]


@plant("The hook is given them back as they are.", "What must be known to open what this object seals")
class OpensOnlyItsOwn(Right):
    """Seals with a number that is drawn for each object and not recorded."""

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        super().__init__(recorded, keyring)
        self._key += os.urandom(8)


@plant("The hook is given them back as they are.")
class RefusesItsOwnParameters(Right):
    """Refuses the parameters that it recorded."""

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        super().__init__(recorded, keyring)
        if recorded and "format" in recorded:
            raise TransformError("planted: unknown parameter format")


@plant('Id of the key in use, or "" for none.')
class HasNoTextForNoKey(Right):
    """Says None where there is no key."""

    @property
    def key(self) -> str:
        return None  # type: ignore[return-value]


@plant('Id of the key in use, or "" for none.')
class ChangesItsKey(Right):
    """Names another key at each call."""

    _asked = 0

    @property
    def key(self) -> str:
        self._asked += 1
        return f"{self._asked:016x}"


@plant("True for a step that makes blocks smaller by what repeats in them.")
class SaysPerhaps(Right):
    """Does not say whether it packs."""

    @property
    def packs(self) -> bool:
        return "perhaps"  # type: ignore[return-value]


# -- sealing


@plant("The changed bytes, or None if this block, of 1 byte to 64 MiB, is better left as it is", "Undo seal")
class CutsLargeBlocks(Right):
    """Seals 8 MiB of a block."""

    def seal(self, data: memoryview) -> Sealed | None:
        return super().seal(data[: 8 * 1024 * 1024])


@plant("this block, of 1 byte to 64 MiB")
class RefusesSmallBlocks(Right):
    """Refuses blocks of less than 16 bytes."""

    def seal(self, data: memoryview) -> Sealed | None:
        if len(data) < 16:
            raise TransformError("planted: too small")
        return super().seal(data)


@plant("Undo seal")
class LosesZerosAtTheEnd(Right):
    """Drops zeros at the end of a block."""

    def seal(self, data: memoryview) -> Sealed | None:
        return super().seal(memoryview(bytes(data).rstrip(b"\0")))


@plant("Undo seal")
class AddsZeros(Right):
    """Pads a block to a multiple of 16."""

    def seal(self, data: memoryview) -> Sealed | None:
        return super().seal(memoryview(bytes(data) + bytes(-len(data) % 16)))


@plant("what is needed to open just these, if it is not within them")
class NeedsAnEnvelopeItForgot(Right):
    """Keeps in itself what belongs into the envelope."""

    _salts: ClassVar[dict[bytes, bytes]] = {}

    def __init__(self, recorded: dict[str, str | int] | None, keyring: Keyring) -> None:
        super().__init__(recorded, keyring)
        self._salts = {}

    def seal(self, data: memoryview) -> Sealed | None:
        sealed = super().seal(data)
        assert sealed is not None
        self._salts[bytes(sealed.data)] = b""
        return sealed

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        if bytes(data) not in self._salts and self._salts:
            raise self.damaged("never sealed here")
        if not self._salts:
            raise self.damaged("no salt")
        return super().unseal(data, envelope, clear_size)


# -- unsealing


@plant("a result of more than clear_size bytes is refused, and never unpacked in memory")
class ForgetsTheBound(Right):
    """Unpacks whatever size."""

    def room(self, clear_size: int) -> int:
        return 0

    def too_large(self, clear_size: int) -> Exception:
        return self.damaged("cut")

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return super().unseal(data, envelope, 1 << 40)


@plant("and never unpacked in memory")
class UnpacksThenRefuses(Right):
    """Unpacks a bomb, then refuses it."""

    def room(self, clear_size: int) -> int:
        return 0


@plant("a result of more than clear_size bytes is refused")
class CutsToSize(Right):
    """Returns as much as was asked for."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return super().unseal(data, envelope, 1 << 30)[:clear_size]


@plant("a result of more than clear_size bytes is refused")
class RefusesWhatFits(Right):
    """Refuses a result of just so many bytes."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return super().unseal(data, envelope, clear_size - 1)


@plant(
    "no such frame, a wrong tag under the right key",
    "Raises backy2_core.errors.BlobDamagedError where the bytes are proven not to be those that were sealed",
    detects_damage=True,
)
class LooksAtNoTag(Right):
    """Does not look at the tag."""

    def fits(self, packed: bytes, tag: bytes) -> bool:
        return True


@plant("no such frame, a wrong tag under the right key", detects_damage=True)
class LooksAtHalfATag(Right):
    """Compares the first half of the tag."""

    def fits(self, packed: bytes, tag: bytes) -> bool:
        return self.sign(packed)[:8] == tag[:8]


@plant("no such frame, a wrong tag under the right key", detects_damage=True)
class SignsTheBeginning(Right):
    """Signs the first 64 bytes."""

    def sign(self, data: bytes) -> bytes:
        return super().sign(data[:64])

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(memoryview(bytes(data) + self.sign(bytes(data))))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        clear, tag = bytes(data[:-TAG_BYTES]), bytes(data[-TAG_BYTES:])
        if not self.fits(clear, tag) or len(clear) > clear_size:
            raise self.damaged("a wrong tag")
        return memoryview(clear)


@plant("Bytes that were cut short are always refused.", detects_damage=False)
class OpensWhatWasCut(Right):
    """Opens as much as there is."""

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(memoryview(b"head" + bytes(data)))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        if bytes(data[:4]) != b"head" or len(data) - 4 > clear_size:
            raise self.damaged("no such frame")
        return memoryview(bytes(data[4:]))


@plant("Bytes that were cut short are always refused.", detects_damage=False)
class FillsUpWhatWasCut(Right):
    """Fills up with zeros what was cut."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        unpacker = zlib.decompressobj()
        try:
            clear = unpacker.decompress(bytes(data[:-TAG_BYTES]), clear_size + 1)
        except zlib.error as error:
            raise self.damaged(str(error)) from error
        if len(clear) > clear_size:
            raise self.damaged("too large")
        return memoryview(clear)


@plant("Bytes that were cut short are always refused.")
class OpensNothing(Right):
    """Takes no bytes at all for an empty block."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return memoryview(b"") if not data else super().unseal(data, envelope, clear_size)


@plant("Undo seal")
class ReturnsText(Right):
    """Returns bytes that are no view."""

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return bytes(super().unseal(data, envelope, clear_size))  # type: ignore[return-value]


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of transform."""

    class WithKeys(TransformSuite):
        detects_damage = True
        secret_texts = (SECRET,)

        @pytest.fixture
        def make(self) -> MakeTransform:
            return lambda parameters: kind(parameters, RING)

        @pytest.fixture
        def make_with_another_key(self) -> MakeTransform:
            return lambda parameters: kind(parameters, OTHER_RING)

    return WithKeys


globals().update(FAULTS.suites(suite_of, Right))
