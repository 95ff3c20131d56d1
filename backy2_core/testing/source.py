"""The conformance suites for sources and targets: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMySource(SourceSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            content = ...
            return SourceSubject(open=lambda: MySource(...), content=content)

    class TestMyTarget(TargetSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            return TargetSubject(open=lambda request: MyTarget(..., request), read=..., size_bytes=..., creates=True)
"""

from __future__ import annotations

from backy2_core.testing.source_reading import SourceSubject, SourceSuite
from backy2_core.testing.source_writing import TargetSubject, TargetSuite

__all__ = ["SourceSubject", "SourceSuite", "TargetSubject", "TargetSuite"]
