"""Whatever is done in whatever order, every version restores to exactly what was backed up."""

from __future__ import annotations

import pytest

from tests.model.soak import soak
from tests.model.walk import walk

STEPS = 300


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_version_restores_to_what_was_backed_up(seed):
    done = walk(seed, STEPS)
    assert sum(done[kind] for kind in done if kind.startswith("restore")) > 20


@pytest.mark.soak
def test_twenty_thousand_steps():
    soak(seed=0, steps=20_000)
