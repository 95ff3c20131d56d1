"""The transform ``backy2_v1`` keeps the contract, as far as it goes: a sealer of the tests' own makes what it opens."""

from __future__ import annotations

import pytest

from backy2_core.testing.transform import MakeTransform, TransformSuite
from tests.transforms.originals import Sealer, opener


class TestBacky2V1(TransformSuite):
    detects_damage = True

    @pytest.fixture
    def make(self) -> MakeTransform:
        return lambda parameters: Sealer() if parameters is None else opener()
