"""Numbers written for people: sizes, rates and durations."""

from __future__ import annotations

_SIZE_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def binary_size(size_bytes: float) -> str:
    """``size_bytes`` in steps of 1024 with one decimal: ``1.5 GiB``; below 1 KiB in whole bytes."""
    if size_bytes < 1024:
        return f"{size_bytes:.0f} B"
    # 1023.95 is written as 1024.0: by then the next unit reads better.
    power = next((n for n in range(1, len(_SIZE_UNITS)) if size_bytes / 1024**n < 1023.95), len(_SIZE_UNITS))
    return f"{size_bytes / 1024**power:.1f} {_SIZE_UNITS[power - 1]}"


def whole_size(size_bytes: float) -> str:
    """``size_bytes`` in steps of 1024 without decimals, as the original's ``-r`` wrote it: ``125 KiB``, ``1 MiB``, ``0``."""
    if round(size_bytes) == 0:
        return "0"
    if size_bytes < 1023.5:
        return f"{size_bytes:.0f} B"
    power = next((n for n in range(1, len(_SIZE_UNITS)) if size_bytes / 1024**n < 1023.5), len(_SIZE_UNITS))
    return f"{size_bytes / 1024**power:.0f} {_SIZE_UNITS[power - 1]}"


def duration(seconds: float) -> str:
    """A span of time with its two largest units: ``42s``, ``3m05s``, ``2h07m``, ``1d04h``."""
    total = max(0, round(seconds))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{total // 86400}d{total % 86400 // 3600:02d}h"


def amount(count: float, unit: str) -> str:
    """``count`` in ``unit``: bytes ("B") as a binary size, anything else as a whole number and the noun."""
    return binary_size(count) if unit == "B" else f"{count:.0f} {unit}"


def counted(count: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rate(per_second: float, unit: str) -> str:
    """A speed: bytes as decimal megabytes a second, anything else as a number of the noun a second."""
    return f"{per_second / 1e6:.1f} MB/s" if unit == "B" else f"{per_second:.1f} {unit}/s"
