"""The list of changed ranges, in the form that ``rbd diff --format json`` prints."""

from __future__ import annotations

import hashlib
import json

from backy2_core.errors import HintsError
from backy2_core.model.extent import Extent

_TRUTH = {"true": True, "false": False}


def parse_hints(text: str, size_bytes: int) -> list[Extent]:
    """The extents of a hints file, unsorted, checked against the size of the source.

    A JSON list, on one line or many, of objects with ``offset`` and ``length`` in bytes and ``exists`` (a boolean or the
    words "true" and "false"; true where it is left out).
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HintsError(f"The hints are not JSON ({error}); expected what `rbd diff --format json` prints.") from error
    if not isinstance(rows, list):
        raise HintsError("The hints are not a JSON list; expected what `rbd diff --format json` prints.")
    return [_extent(number, row, size_bytes) for number, row in enumerate(rows)]


def hints_digest(text: str | None) -> str:
    """Names a hints file in the record of a version, so that a backup is continued with the same one."""
    return "" if text is None else hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _extent(number: int, row: object, size_bytes: int) -> Extent:
    if not isinstance(row, dict):
        raise HintsError(f"Hint {number} is not an object with offset, length and exists, but {row!r}.")
    offset, length = (_integer(number, row, key) for key in ("offset", "length"))
    exists = row.get("exists", True)
    exists = _TRUTH.get(exists, exists) if isinstance(exists, str) else exists
    if not isinstance(exists, bool):
        raise HintsError(f"Hint {number} says exists={row['exists']!r}; expected true or false.")
    if offset + length > size_bytes:
        raise HintsError(
            f"Hint {number} (offset {offset}, length {length}) reaches beyond the end of the source, which has"
            f" {size_bytes} bytes; were these hints made for another image or snapshot?"
        )
    return Extent(offset, length, exists)


def _integer(number: int, row: dict[object, object], key: str) -> int:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HintsError(f"Hint {number} says {key}={value!r}; expected a number of bytes, not negative.")
    return value
