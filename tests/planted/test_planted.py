"""Every promise of a contract is broken by a planted fault, and the public suite finds each of them.

The quick test runs, for each broken implementation, one test that is known to find it, and lets the correct one pass it too;
``make planted`` prints the table. The soak test runs the whole suites, and ``python -m tests.planted.run`` writes down anew
which tests find what.
"""

from __future__ import annotations

import pytest

from tests.house.tree import ROOT
from tests.planted import page
from tests.planted.fault import Faults
from tests.planted.no_promise import NO_PROMISE
from tests.planted.roles import MODULES, faults_of
from tests.planted.run import caught, classes_of_what_is_right, failures, references_with, run

ROLES = sorted(MODULES)
FEW_WORDS = 3
AGAIN = 3
AT_A_TIME = 40


@pytest.mark.timeout(1200)  # all faults of a role are tried in one; each has a time limit of its own
@pytest.mark.parametrize("role", ROLES)
def test_each_planted_fault_is_found_by_the_public_suite(role: str) -> None:
    names = list(faults_of(role).kinds())
    finders = {name: found[0] for name, found in caught()[role].items() if found}
    assert [name for name in names if name not in finders] == [], "nothing finds these; see the module's docstring"
    results = run(role, [*(f"Test{name}::{finders[name]}" for name in names), *references_with(role, finders.values())])
    missed = [name for name in names if not failures(results, name)]
    for _ in range(AGAIN):
        # Some are found by chance: threads that meet, or do not.
        tries = [f"Test{name}::{test}" for name in missed for test in caught()[role][name]]
        found = run(role, tries) if tries else {}
        missed = [name for name in missed if not failures(found, name)]
    assert missed == [], "these tests did not find what they found before"
    wrongly = [name for name, (outcome, _) in results.items() if name.startswith("TestRight") and outcome == "failed"]
    assert wrongly == [], "a correct implementation is refused"
    assert any(name.startswith("TestRight") for name in results)
    for fault in faults_of(role).planted:
        print(f"{role} | {fault.promise} | {fault.name} | {finders[fault.name]}")


@pytest.mark.soak
@pytest.mark.parametrize("role", ROLES)
def test_the_whole_suites_find_every_fault_and_pass_what_is_right(role: str) -> None:
    names = list(faults_of(role).kinds())
    missed = []
    for at in range(0, len(names), AT_A_TIME):
        part = names[at : at + AT_A_TIME]
        results = run(role, [f"Test{name}" for name in part], enough=1)
        missed += [name for name in part if not failures(results, name)]
    assert missed == []
    right = run(role, classes_of_what_is_right(role))
    assert [name for name, (outcome, _) in right.items() if outcome == "failed"] == []


@pytest.mark.parametrize("role", ROLES)
def test_faults_quote_their_contract(role: str) -> None:
    said = faults_of(role).text()
    assert [words for words in quotes(faults_of(role)) if words not in said] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_sentence_of_a_contract_is_broken_by_a_fault_or_is_no_promise(role: str) -> None:
    spoken_of = quotes(faults_of(role))
    silent = [
        f"{place}: {sentence}"
        for place, sentence in faults_of(role).sentences()
        if not any(sentence.rstrip(".;:") in words or words.rstrip(".;:") in sentence for words in spoken_of)
        and not (sentence.endswith(":") and len(sentence.split()) <= FEW_WORDS)
    ]
    assert silent == [], "plant a fault against it, or say in no_promise.py why none can be"


def test_the_committed_page_is_that_of_the_faults() -> None:
    committed = (ROOT / page.PAGE).read_text(encoding="utf-8")
    assert committed == page.text(), "run `python -m tests.planted.page`"


def quotes(faults: Faults) -> list[str]:
    """What is quoted of the contracts of a role."""
    return faults.quotes(NO_PROMISE[faults.role])
