"""docs/architecture.md and docs/decisions name what is there."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs import pages
from tests.house.tree import PACKAGES, ROOT, modules

PAGE = "docs/architecture.md"
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def packages() -> set[str]:
    """Every package of core and plugins, by its dotted name, without the two at the top."""
    found = {".".join(module.parent.parts) for module in modules() if module.name == "__init__.py"}
    return found - set(PACKAGES)


def floors() -> dict[str, int]:
    """Packages and single modules of the core by floor, as the import linter is told."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    [layers] = [contract["layers"] for contract in linter["contracts"] if contract["id"] == "floors"]
    return {
        f"backy2_core.{room}": len(layers) - number
        for number, layer in enumerate(layers)
        for room in re.findall(r"(?<![\w(])\w+", layer)
    }


def test_every_package_is_named() -> None:
    rows = [row for table in pages.tables(pages.sections(PAGE, 2)["The house"]) for row in table[1:]]
    listed = [name for row in rows for cell in row[:-1] for name in pages.named(cell)]
    assert set(listed) == packages() | set(floors())
    assert len(listed) == len(set(listed))


def test_each_room_is_on_the_floor_that_the_linter_keeps() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["The house"]))[1:]
    assert {pages.named(row[1])[0]: int(row[0]) for row in rows if row[0]} == floors()


def test_every_invariant_has_a_place_and_tests() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Invariants"]))[1:]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 9)]
    for row in rows:
        assert pages.named(row[2]), row
        assert pages.named(row[3]), row


@pytest.mark.parametrize("number", range(1, 9))
def test_invariants_that_the_code_speaks_of_are_where_the_page_says(number: int) -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Invariants"]))[1:]
    speaking = {
        str(module)
        for module in modules()
        for spoken in re.findall(r"INVARIANTS? ([\d, and]+)", (ROOT / module).read_text(encoding="utf-8"))
        if str(number) in re.findall(r"\d", spoken)
    }
    assert speaking <= set(pages.named(rows[number - 1][2]))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_its_parts_and_a_place_in_the_index(path) -> None:
    page = str(path.relative_to(ROOT))
    heading = pages.text_of(page).partition("\n")[0]
    assert heading.startswith(f"# {path.name[:4]}: ")
    assert list(pages.sections(page, 2)) == ["Context", "Decision", "Reason", "Consequences"]
    title = heading.partition(": ")[2]
    assert f"| [{path.name[:4]}]({path.name}) | {title} |" in pages.text_of("docs/decisions/README.md")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
