"""What tests of sources and targets get."""

from __future__ import annotations

from tests.sources.machine import cached_bytes, loop_device

__all__ = ["cached_bytes", "loop_device"]
