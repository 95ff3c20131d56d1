"""Sizes as people write them: ``256M``, ``4G``; and as tables show them."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": 1024 * GIB}


def parse_size(text: str) -> int:
    """Bytes in ``text``: a whole number with K, M, G or T for powers of 1024; raises ValueError."""
    text = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = text[-1:] if text[-1:] in _UNITS else ""
    return int(text.removesuffix(unit)) * _UNITS[unit]


def show_bytes(count: int) -> str:
    """``count`` bytes in the unit that leaves one to four digits before the point."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(count) >= 10 * unit or (unit == KIB and abs(count) >= KIB):
            return f"{count / unit:.1f} {name}"
    return f"{count} B"
