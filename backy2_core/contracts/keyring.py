"""Contract of keyrings: the secrets of one store, open for transforms that seal with them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from backy2_core.model.secret import Secret


class Keyring(ABC):
    """The store key of one store, and what belongs to it, opened with one of the configured master keys.

    A store has one store key, made once and at random; it never changes, whatever becomes of the master keys. A transform
    derives its own key from it and never sees it. Made by the core; plugins only use it.

    Threads: any method may be called from any thread.
    """

    @property
    @abstractmethod
    def key_id(self) -> str:
        """Id of the store key: 16 hex digits that say nothing of the key. To be recorded with what is sealed."""

    @abstractmethod
    def derive(self, purpose: str, length: int = 32) -> bytes:
        """``length`` secret bytes (at most 64) for this purpose: the same for the same purpose and length, each time and on
        every host, and independent of those for any other. Name the plugin and the use in the purpose."""

    @abstractmethod
    def former_keys(self, kind: str) -> tuple[Secret, ...]:
        """Keys of another program that blobs in this store were sealed with, in hex, the newest first: ``backy2_v1`` for the
        original's. Empty if there are none."""
