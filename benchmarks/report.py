"""Turns measurements into plain tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prettytable import PrettyTable


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a title; the first column is text, the others are figures."""
    pretty = PrettyTable(list(columns))
    pretty.align = "r"
    pretty.align[columns[0]] = "l"
    pretty.add_rows([list(row) for row in rows])
    return f"\n{title}\n{pretty.get_string()}"


def seconds(value: float | None) -> str:
    """Seconds with the digits that mean something, or a dash."""
    if value is None:
        return "-"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def mib(count: int) -> str:
    """Bytes in MiB."""
    return f"{count / 1024**2:.1f}"


def at_least(value: float, target: float | None, unit: str = "") -> tuple[str, str]:
    """A figure, and the target beside it with a verdict; for figures that should be high."""
    if target is None:
        return f"{value:.2f}{unit}", "-"
    return f"{value:.2f}{unit}", f">= {target:g}{unit} {'met' if value >= target else 'MISSED'}"


def at_most(value: float, target: float, unit: str = "") -> tuple[str, str]:
    """A figure, and the target beside it with a verdict; for figures that should be low."""
    shown = f"{value:.2f}{unit}" if value >= 1 else f"{value:.3g}{unit}"
    return shown, f"<= {target:.4g}{unit} {'met' if value <= target else 'MISSED'}"
