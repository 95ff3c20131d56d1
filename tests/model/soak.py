"""Walks far: ``python -m tests.model.soak --steps 20000 --seed 0``. Prints what was done, and ``passed``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from tests.model.walk import ModelError, walk

STEPS_A_WORLD = 500
"""After so many steps a new world begins, with the next seed."""


def soak(seed: int, steps: int) -> Counter[str]:
    """Take ``steps`` steps in worlds of seed ``seed`` and on; print counts."""
    began, total = time.monotonic(), Counter()
    for number, first in enumerate(range(0, steps, STEPS_A_WORLD)):
        length = min(STEPS_A_WORLD, steps - first)
        total += walk(seed + number, length)
        print(f"{first + length} steps, seed {seed + number}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    for kind in sorted(total):
        print(f"{total[kind]:8} {kind}")
    print(f"{steps} steps in {time.monotonic() - began:.0f} s")
    print("passed")
    return total


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20_000)
    arguments = parser.parse_args()
    # Thousands of interruptions and differences are what is asked for.
    logging.disable()
    try:
        soak(arguments.seed, arguments.steps)
    except ModelError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
