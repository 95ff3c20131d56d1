"""The place that tests of the exchange work in."""

from __future__ import annotations

from tests.engine.conftest import place

__all__ = ["place"]
