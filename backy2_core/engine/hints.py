"""Changed ranges: the list that people give, in the form that ``rbd diff --format json`` prints, and what a device tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from backy2_core.errors import HintsError
from backy2_core.model.extent import Extent

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Hints:
    """Changed ranges in any order, and the digest that names them in the record of a version.

    A backup is continued only with hints of the same digest.
    """

    extents: Sequence[Extent]
    digest: str


def parse_hints(text: str) -> Hints:
    """The hints that a file holds.

    A JSON list, on one line or many, of objects with ``offset`` and ``length`` in bytes and ``exists`` (a boolean or the
    words "true" and "false"; true where it is left out).
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HintsError(f"The hints are not JSON ({error}); expected what `rbd diff --format json` prints.") from error
    if not isinstance(rows, list):
        raise HintsError("The hints are not a JSON list; expected what `rbd diff --format json` prints.")
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return Hints([_extent(number, row) for number, row in enumerate(rows)], digest)


def within(hints: Hints, size_bytes: int) -> Sequence[Extent]:
    """The ranges, where all lie within a source of that size; else :class:`HintsError`."""
    for number, extent in enumerate(hints.extents):
        if extent.end > size_bytes:
            raise HintsError(
                f"Hint {number} (offset {extent.offset}, length {extent.length}) reaches beyond the end of the source, which"
                f" has {size_bytes} bytes; were these hints made for another image or snapshot?"
            )
    return hints.extents


def _extent(number: int, row: object) -> Extent:
    if not isinstance(row, dict):
        raise HintsError(f"Hint {number} is not an object with offset, length and exists, but {row!r}.")
    offset, length = (_integer(number, row, key) for key in ("offset", "length"))
    exists = row.get("exists", True)
    exists = _TRUTH.get(exists, exists) if isinstance(exists, str) else exists
    if not isinstance(exists, bool):
        raise HintsError(f"Hint {number} says exists={row['exists']!r}; expected true or false.")
    return Extent(offset, length, exists)


def _integer(number: int, row: dict[object, object], key: str) -> int:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HintsError(f"Hint {number} says {key}={value!r}; expected a number of bytes, not negative.")
    return value
