"""The conformance suites for sources and targets: each promise of the contract is one test.

An author writes, in a test module of the plugin::

    class TestMySource(SourceSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            content = ...
            return SourceSubject(open=lambda: MySource(url), content=content, url=url)

    class TestMyTarget(TargetSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            return TargetSubject(open=lambda request: MyTarget(url, request), read=..., size_bytes=..., url=url)

What a device can do besides (be changed, cut, go missing, never answer) is told by further fields of the subjects; tests
of what is not told are skipped. A target that writes files joins
:class:`backy2_core.testing.durability.TargetDurabilitySuite` as well.
"""

from __future__ import annotations

from backy2_core.testing.source_reading import SourceSuite
from backy2_core.testing.source_trouble import SourceSubject
from backy2_core.testing.source_writing import TargetSubject, TargetSuite

__all__ = ["SourceSubject", "SourceSuite", "TargetSubject", "TargetSuite"]
