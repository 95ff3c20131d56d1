"""What a manipulation is: what it does, and what restore, scrub and check end with afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.tamper.world import World

OK, PLUGIN, STORE, NOT_FOUND, REFUSED, TRANSFORM, DAMAGE, KEY = 0, 11, 14, 16, 17, 19, 20, 21
"""Exit codes."""

Do = Callable[[World], object]


@dataclass(frozen=True)
class Manipulation:
    """Something that is done to an installation, in words for the page, and what three commands say of it."""

    group: str
    text: str
    do: Callable[[World], object]
    restore: int = DAMAGE
    scrub: int = DAMAGE
    check: int = OK
    note: str = ""
    recover: int | None = None

    @property
    def name(self) -> str:
        return f"{self.group}: {self.text}"
