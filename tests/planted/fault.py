"""A planted fault: a promise in the words of a contract, and an implementation that breaks it and nothing else.

The words are compared with the contract's docstrings, and every sentence of these must be the subject of a fault or
stand in :mod:`tests.planted.no_promise`, with the reason. So a contract cannot gain a sentence that nobody tried.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MARKUP = re.compile(r":\w+:`[~.]?([^`]+)`|``([^`]+)``|`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Fault:
    """``promise`` are words of the contract; ``kind`` breaks it. ``changes`` are attributes of its suite."""

    promise: str
    kind: Any
    changes: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def wrong(self) -> str:
        """What is wrong, as the first line of the class says it."""
        return (self.kind.__doc__ or "").strip().split("\n")[0]


@dataclass(slots=True)
class Faults:
    """The faults of one role. ``contracts`` are the classes whose docstrings promise something to its users."""

    role: str
    contracts: tuple[type, ...]
    planted: list[Fault] = field(default_factory=list)

    def plant(self, *promises: str, **changes: Any) -> Callable[[Any], Any]:
        """Marks a class (or a function) that breaks these promises."""

        def mark(kind: Any) -> Any:
            self.planted.extend(Fault(promise, kind, changes) for promise in promises)
            return kind

        return mark

    def kinds(self) -> dict[str, Fault]:
        """One fault of each broken implementation, by its name."""
        return {fault.name: fault for fault in self.planted}

    def suites(self, suite_of: Callable[[Any], type], *references: Any) -> dict[str, type]:
        """The public suite for each broken implementation, and for what they were made from, as classes of tests."""
        kinds = {f"Test{name}": (fault.kind, fault.changes) for name, fault in self.kinds().items()}
        kinds |= {f"TestRight{reference.__name__}": (reference, {}) for reference in references}
        return {
            name: type(name, (suite_of(kind),), {**changes, "planted": kind}) for name, (kind, changes) in kinds.items()
        }

    def sentences(self) -> Iterator[tuple[str, str]]:
        """Every sentence that the contracts say, with the place where it stands."""
        for contract in self.contracts:
            for place, text in _docstrings(contract):
                for sentence in _sentences(text):
                    yield place, sentence

    def text(self) -> str:
        """All that the contracts say, in one form."""
        return "\n".join(plain(said) for contract in self.contracts for _, said in _docstrings(contract))

    def quotes(self, no_promise: Mapping[str, str]) -> list[str]:
        """What is spoken of here, or is no promise, in one form."""
        return [plain(words) for words in [*(fault.promise for fault in self.planted), *no_promise]]


def plain(text: str) -> str:
    """Words on one line, without the markup around names."""
    return " ".join(MARKUP.sub(lambda found: next(filter(None, found.groups())), text).replace("*", "").split())


def _docstrings(contract: type) -> Iterator[tuple[str, str]]:
    yield contract.__name__, inspect.cleandoc(contract.__doc__ or "")
    for name, member in vars(contract).items():
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isfunction(function):
            yield f"{contract.__name__}.{name}", inspect.cleandoc(function.__doc__ or "")


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n|\n- ", text):
        yield from (part.strip() for part in re.split(r"(?<=[.;:])\s+(?=\S)", plain(paragraph)) if part.strip())
