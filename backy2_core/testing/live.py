"""Promises that are checked on what is live, without pytest: a registry for each role, and what became of each promise."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from backy2_core.errors import BackyError

Subject = TypeVar("Subject")
Failure = TypeVar("Failure", bound=BaseException)


class Verdict(enum.StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One promise after it was checked, in ``ms`` milliseconds. ``reason`` is empty for one that was kept."""

    promise: str
    verdict: Verdict
    ms: float
    reason: str = ""


class Broken(Exception):
    """A promise was not kept; the message says what was seen."""


class Skipped(Exception):
    """A promise does not fit what is checked, or could not be checked; the message says why."""


class Promises(Generic[Subject]):
    """The promises of one role, in the order in which they are checked."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, Callable[[Subject], None]]] = []

    def promise(self, text: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
        """Register the decorated function as the check of the promise ``text``."""

        def register(check: Callable[[Subject], None]) -> Callable[[Subject], None]:
            self._checks.append((text, check))
            return check

        return register

    @property
    def texts(self) -> list[str]:
        """What is promised."""
        return [text for text, _ in self._checks]

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Check one promise after the other, each as it is asked for. None ends the rest."""
        for text, check in self._checks:
            yield checked(text, lambda check=check: check(subject))  # type: ignore[misc] # bound for each


def checked(text: str, check: Callable[[], None]) -> Outcome:
    """Check one promise; whatever is raised, but for being told to stop, becomes its outcome."""
    began = time.perf_counter()
    verdict, reason = Verdict.KEPT, ""
    try:
        check()
    except Skipped as error:
        verdict, reason = Verdict.SKIPPED, str(error)
    except Broken as error:
        verdict, reason = Verdict.BROKEN, str(error)
    except BackyError as error:
        again = "; it says that the same call may succeed later, so check again" if error.retryable else ""
        verdict, reason = Verdict.BROKEN, f"raised {_named(error)}{again}"
    except Exception as error:  # whatever a stranger's code raises
        verdict, reason = Verdict.BROKEN, f"raised {_named(error)}, which is none of the errors of backy2"
    return Outcome(text, verdict, (time.perf_counter() - began) * 1000, " ".join(reason.split()))


def expect(condition: bool, otherwise: str) -> None:
    """Raise :class:`Broken` with what was seen, unless the condition holds."""
    if not condition:
        raise Broken(otherwise)


def expect_error(kind: type[Failure], call: Callable[[], object], what: str) -> Failure:
    """The error of this kind that ``call`` raises; anything else breaks the promise."""
    try:
        call()
    except kind as error:
        return error
    except Exception as error:  # whatever a stranger's code raises
        raise Broken(f"{what} raised {_named(error)}, expected {kind.__name__}") from error
    raise Broken(f"{what} raised nothing, expected {kind.__name__}")


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
