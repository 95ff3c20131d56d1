"""A value that must not be seen, and how messages tell keys from each other all the same."""

from __future__ import annotations

import hashlib


class Secret:
    """Holds a secret text; only :meth:`reveal` shows it, never ``repr``, ``str`` or a log line."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for handing to the library that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def key_fingerprint(key: bytes) -> str:
    """Eight digits that tell this random key from others, and from which it cannot be had."""
    return hashlib.blake2b(key, digest_size=4, person=b"backy2 key").hexdigest()
