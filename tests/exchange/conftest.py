"""The places that tests of the exchange work in."""

from __future__ import annotations

from tests.cli.conftest import backy
from tests.engine.conftest import place

__all__ = ["backy", "place"]
