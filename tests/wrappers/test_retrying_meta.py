"""The wrapper that retries a meta backend: what may pass is tried again, for a limited time, and nothing else is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import BlobGoneError, JobLostError, MetaBackendError
from backy2_core.model.version import VersionFilter
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying_meta import RetryingMetaBackend
from tests.support.engines import open_database
from tests.wrappers.test_retrying import Clock


class Failing:
    """Stands before a meta backend: raises the errors of a list, one a call, before it passes calls on."""

    def __init__(self, inner: MetaBackend) -> None:
        self._inner = inner
        self.errors: list[Exception] = []
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            self.calls.append(name)
            if self.errors:
                raise self.errors.pop(0)
            return found(*given, **named)

        return call


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Failing]:
    with open_database(tmp_path) as meta:
        yield Failing(meta)


@pytest.fixture
def meta(inner: Failing, clock: Clock) -> RetryingMetaBackend:
    by_hand: dict[str, Any] = {"sleep": clock.sleep, "clock": lambda: clock.now, "draw": lambda: 1.0}
    return RetryingMetaBackend(inner, Patience(limit_s=10, first_wait_s=1, longest_wait_s=4, **by_hand))  # type: ignore[arg-type]


def passing() -> MetaBackendError:
    return MetaBackendError("out of reach", retryable=True)


def test_what_may_pass_is_tried_again_after_ever_longer_waits(meta, inner, clock):
    meta.stores()
    inner.errors = [passing(), passing(), passing()]
    assert meta.stores() == []
    assert clock.slept == [1, 2, 4]


def test_it_gives_up_at_the_limit_with_the_last_error(meta, inner, clock):
    meta.stores()
    inner.errors = [passing() for _ in range(100)]
    with pytest.raises(MetaBackendError, match="out of reach"):
        meta.stores()
    assert clock.slept == [1, 2, 4]


def test_a_database_that_never_answered_is_not_waited_for(meta, inner, clock):
    inner.errors = [passing()]
    with pytest.raises(MetaBackendError, match="out of reach"):
        meta.stores()
    assert clock.slept == []


@pytest.mark.parametrize("error", [MetaBackendError("no"), JobLostError("lost"), BlobGoneError([1]), ValueError("bug")])
def test_any_other_error_is_raised_at_once(meta, inner, clock, error):
    meta.stores()
    inner.errors = [error]
    with pytest.raises(type(error)):
        meta.stores()
    assert clock.slept == []


def test_the_beginning_of_a_listing_is_tried_again(meta, inner):
    meta.stores()
    inner.errors = [passing()]
    assert list(meta.versions(VersionFilter())) == []
    assert inner.calls == ["stores", "versions", "versions"]


def test_every_call_of_the_contract_is_tried_again(meta, inner, clock):
    meta.stores()
    once = {"close", "location", "doom_objects"}  # the last one eats its argument
    for name in MetaBackend.__abstractmethods__ - once:
        method = getattr(meta, name)
        inner.calls.clear()
        inner.errors = [passing(), JobLostError("enough")]
        given = {
            key: None
            for key, parameter in inspect.signature(method).parameters.items()
            if parameter.default is inspect.Parameter.empty
        }
        with pytest.raises(JobLostError, match="enough"):
            next(method(**given))
        assert inner.calls == [name, name]


class TestRetryingMetaBackend(MetaBackendSuite):
    @pytest.fixture
    def open_database(self, tmp_path):
        return lambda: RetryingMetaBackend(_opened(tmp_path))


def _opened(folder: Path) -> MetaBackend:
    import backy2_plugins.meta_backends.sql as sql
    from backy2_core.model.secret import Secret
    from tests.support.engines import settings_of

    return sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(f"sqlite:///{folder / 'meta.sqlite'}")))
