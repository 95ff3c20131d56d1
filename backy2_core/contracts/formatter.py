"""Contract of output formatters: cliff's own two base classes.

A formatter's hook returns an object that is a :class:`ListFormatter` (many rows), a :class:`SingleFormatter` (one record),
or both. cliff documents their methods: ``add_argument_group``, ``emit_list`` and ``emit_one``.
"""

from __future__ import annotations

from cliff.formatters.base import ListFormatter, SingleFormatter

__all__ = ["ListFormatter", "SingleFormatter"]
