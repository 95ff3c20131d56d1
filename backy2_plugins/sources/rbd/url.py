"""From ``rbd://POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`` to the names in it, and back."""

from __future__ import annotations

from dataclasses import dataclass

from backy2_core.api import BackyError

SCHEME = "rbd://"
_FORMS = "rbd://POOL/IMAGE, rbd://POOL/IMAGE@SNAPSHOT or rbd://POOL/NAMESPACE/IMAGE@SNAPSHOT"
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A pool, and in it a namespace; "" is the one without a name, in which images are if nothing else is said."""

    pool: str
    namespace: str = ""

    @property
    def path(self) -> str:
        """As the command ``rbd`` takes it."""
        return f"{self.pool}/{self.namespace}" if self.namespace else self.pool

    def url(self, image: str) -> str:
        """The URL of an image there."""
        return f"{SCHEME}{self.path}/{image}"


@dataclass(frozen=True, slots=True)
class Name:
    """An image, or a snapshot of it."""

    place: Place
    image: str
    snapshot: str | None = None

    @property
    def path(self) -> str:
        """The image as the command ``rbd`` takes it."""
        return f"{self.place.path}/{self.image}"


def parse(url: str, error: type[BackyError]) -> Name:
    """What a URL names. Nothing is decoded: names are taken as they stand. Raises ``error`` for any other form."""
    device, at, snapshot = url.removeprefix(SCHEME).partition("@")
    parts = device.split("/")
    wrong = not url.startswith(SCHEME) or not 1 < len(parts) <= _MOST_PARTS or not all(parts)
    if wrong or (at and not snapshot) or "@" in snapshot or "/" in snapshot:
        raise error(f"{url} names no RBD image: expected {_FORMS}")
    pool, *namespace, image = parts
    return Name(Place(pool, "".join(namespace)), image, snapshot if at else None)
