"""Telling people which blocks are damaged."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from backy2_core.engine.requests import BlockDamage

log = logging.getLogger(__name__)

MOST_LINES = 20


def list_damage(damage: Sequence[BlockDamage], total: int) -> None:
    """Log the first damaged blocks as errors, a line each; ``total`` counts those that are not in ``damage`` too."""
    for block in damage[:MOST_LINES]:
        log.error("Block %d, blob %s: %s", block.block, block.blob_uid or "unknown", block.reason)
    _list_rest(total, "damaged")


def list_differences(blocks: Sequence[int], total: int) -> None:
    """Log the first blocks that differ from the source as errors, a line each."""
    for block in blocks[:MOST_LINES]:
        log.error("Block %d differs from the source", block)
    _list_rest(total, "differing")


def _list_rest(total: int, what: str) -> None:
    if total > MOST_LINES:
        log.error("and %d more %s blocks", total - MOST_LINES, what)
