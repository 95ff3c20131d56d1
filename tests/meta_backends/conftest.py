"""Servers that the tests of meta backends may ask for."""

from __future__ import annotations

from tests.support.servers import mariadb, postgresql

__all__ = ["mariadb", "postgresql"]
