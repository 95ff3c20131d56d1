"""The transform ``backy2_v1`` keeps the contract, as far as it goes: a sealer of the tests' own makes what it opens."""

from __future__ import annotations

import pytest

from backy2_core.testing.transform import MakeTransform, TransformSuite
from tests.transforms.originals import KEY, OTHER_KEY, Sealer, opener


class TestBacky2V1(TransformSuite):
    detects_damage = True
    secret_texts = (KEY,)

    @pytest.fixture
    def make(self) -> MakeTransform:
        return lambda parameters: Sealer() if parameters is None else opener()

    @pytest.fixture
    def make_with_another_key(self) -> MakeTransform:
        return lambda parameters: opener(OTHER_KEY)
