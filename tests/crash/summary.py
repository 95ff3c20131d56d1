"""Adds up what the tests of this folder counted, and prints it at the end of the run, with or without xdist."""

from __future__ import annotations

from collections import Counter

import pytest

COUNT = "crash count: "


def counted(node: pytest.Item, what: str, number: int) -> None:
    """Add to a line of the summary; called by a test."""
    node.user_properties.append((COUNT + what, number))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums over all tests that passed."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        if report.when == "call":
            for name, number in report.user_properties:
                if name.startswith(COUNT):
                    counts[name.removeprefix(COUNT)] += int(str(number))
    if counts:
        terminalreporter.section("processes killed and paused")
        for what, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number:6d} {what}")
