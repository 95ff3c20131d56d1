"""How often a command searches for cyclic garbage."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Search for cyclic garbage less often than Python does by itself, for the rest of this process.

    A command makes many objects and few cycles; the search would take a tenth of a short command's time.
    """
    gc.set_threshold(100_000, 20, 20)
