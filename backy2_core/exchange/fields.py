"""Taking values out of JSON of unknown origin: of the type and within the bounds that are meant, or refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backy2_core.exchange.lines import shown

MOST_TEXT = 64 * 1024
_HEX = re.compile(r"(?:[0-9a-f]{2})*")

Fault = Callable[[str], Exception]
"""Makes the error that says what is wrong, and where."""


def parse_object(text: str, fault: Fault) -> dict[str, Any]:
    """The JSON object in a line."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(f"the line is no JSON ({error}): {shown(text)}") from error
    if not isinstance(found, dict):
        raise fault(f"expected a JSON object, found {shown(text)}")
    return found


class Fields:
    """The values of one JSON object; every method names the key it did not like. Unknown keys are nobody's business."""

    def __init__(self, values: Any, what: str, fault: Fault) -> None:
        if not isinstance(values, dict):
            raise fault(f"{what}: expected an object, found {_shown(values)}")
        self._values: dict[str, Any] = values
        self._what = what
        self._fault = fault

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """A text; one that matches the pattern as a whole, where one is given."""
        value: Any = self._values.get(key)
        if not is_text(value) or (pattern is not None and not pattern.fullmatch(value)):
            raise self._wrong(key, "another text" if isinstance(value, str) else "a text")
        return str(value)

    def optional_text(self, key: str, pattern: re.Pattern[str] | None = None) -> str | None:
        """A text, or null."""
        return None if self._values.get(key) is None else self.text(key, pattern)

    def whole(self, key: str, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``."""
        value: Any = self._values.get(key)
        if not is_whole(value, least, most):
            raise self._wrong(key, f"a whole number from {least} to {most}")
        return int(value)

    def number(self, key: str) -> float:
        """A number that is not negative."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self._wrong(key, "a number that is not negative")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def moment(self, key: str) -> datetime:
        """A time with an offset."""
        value = self._values.get(key)
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            moment = moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            raise self._wrong(key, "a time like 2017-05-02T10:26:48+00:00")
        return moment

    def optional_moment(self, key: str) -> datetime | None:
        """A time, or null."""
        return None if self._values.get(key) is None else self.moment(key)

    def hexadecimal(self, key: str) -> bytes:
        """Bytes, in lower-case hexadecimal digits."""
        return bytes.fromhex(self.text(key, _HEX))

    def list(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self._values.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _wrong(self, key: str, expected: str) -> Exception:
        return self._fault(f"{self._what}: {key} is {_shown(self._values.get(key))}, expected {expected}")


def is_text(value: Any) -> bool:
    """True for a text that any database can keep: not endless, without zero characters and halves of pairs."""
    if not isinstance(value, str) or len(value) > MOST_TEXT or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def is_whole(value: Any, least: int, most: int) -> bool:
    """True for a whole number within these bounds."""
    return type(value) is int and least <= value <= most


def is_hex(value: Any) -> bool:
    """True for pairs of lower-case hexadecimal digits, or nothing."""
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _shown(value: Any) -> str:
    return shown(json.dumps(value))
