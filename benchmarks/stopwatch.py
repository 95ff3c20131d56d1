"""A meta backend around a meta backend that adds up the time spent in its calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from backy2_core.api import MetaBackend


class Stopwatch:
    """Passes everything on; ``seconds`` grows by the time of each call, and of each step of a returned iterator."""

    def __init__(self, meta: MetaBackend) -> None:
        self._meta = meta
        self.seconds = 0.0

    def as_meta(self) -> MetaBackend:
        """This object under the type of what it stands for."""
        return cast(MetaBackend, self)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._meta, name)
        return self._timed(found) if callable(found) else found

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            result = self._add(lambda: method(*args, **options))
            return self._steps(result) if isinstance(result, Iterator) else result

        return call

    def _steps(self, iterator: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (item := self._add(lambda: next(iterator, end))) is not end:
            yield item

    def _add(self, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - began
