"""Writes the pages that are made from the code: ``python -m docs.generate``."""

from __future__ import annotations

from pathlib import Path

from backy2_core.cli.reference import write_pages
from docs.plugin_pages import write_plugin_pages

if __name__ == "__main__":
    write_pages(Path(__file__).parent)
    write_plugin_pages(Path(__file__).parent)
