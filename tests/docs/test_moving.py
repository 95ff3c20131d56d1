"""docs/moving-from-backy2.md is followed on installations that releases of the original made."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

import pytest

from backy2_core.api import UsageError
from backy2_core.config import legacy
from backy2_core.errors import BackyError
from tests.docs import pages, places
from tests.docs.shell import Example, examples, run
from tests.support.original import DATA, OriginalInstallation, unpack

PAGE = "docs/moving-from-backy2.md"
EVENING, DUMPS, ENCRYPTED = "The evening", "The other road: dumps", "Encrypted installations"


def examples_of(section: str) -> list[Example]:
    """The blocks to be run below one heading."""
    text, at, found = pages.text_of(PAGE), 0, []
    for example in examples(PAGE):
        at = text.index(f"\n{example.script}```", at + 1)
        if re.findall(r"^## (.+)$", text[:at], re.MULTILINE)[-1] == section:
            found.append(example)
    assert found
    return found


def settle(release: str, home: Path) -> OriginalInstallation:
    """An installation where the page has it, with the disk that its last version of ``vm-a`` was made from."""
    for folder in ("etc", "var/lib", "var/log", "srv/images"):
        (home / folder).mkdir(parents=True)
    original = unpack(release, home / "var/lib/backy2")
    text = (original.folder / "backy.cfg").read_text()
    for name in ("backy.sqlite", "data", "backy.log"):
        text = re.sub(rf"(?m)([/ ]){re.escape(name)}$", rf"\1{original.folder / name}", text)
    (home / "etc/backy.cfg").write_text(text)
    aside = home.parent / "aside"
    shutil.copytree(original.folder, aside)
    script = f"cd {aside}\nbacky2 -c backy.cfg adopt || true\nbacky2 -c backy.cfg restore latest:vm-a file://{{}}"
    run(Example(script.format(home / "srv/images/vm-a.img"), 0, ()), home)
    return original


def follow(section: str, home: Path) -> None:
    """Run what stands below a heading."""
    for example in examples_of(section):
        run(Example(places.below(example.script, home), example.code, example.prints), home)


@pytest.mark.parametrize("release", ["2917-bs65536", "213-plain-bs65536"])
def test_the_evening_works_as_it_stands(tmp_path: Path, release: str) -> None:
    home = tmp_path / "home"
    original = settle(release, home)
    rows, blobs = original.rows(), original.blobs()
    follow(EVENING, home)
    assert original.rows() == rows
    assert blobs <= original.blobs()


def test_the_road_by_dumps_works_as_it_stands(tmp_path: Path) -> None:
    home, release = tmp_path / "home", "213-plain-bs65536"
    settle(release, home)
    dumps = home / "var/backups/backy2"
    dumps.mkdir(parents=True)
    with tarfile.open(DATA / "dumps/dumps.tar.xz") as archive:
        for name in ("a1", "a2", "a3", "b1-invalid"):
            archive.extract(f"{release}/{name}.csv", dumps, filter="data")
            (dumps / release / f"{name}.csv").rename(dumps / f"{name}.csv")
    follow(DUMPS, home)


def test_what_is_said_of_encryption_works_as_it_stands(tmp_path: Path) -> None:
    settle("213-mixed-bs65536", tmp_path / "home")
    follow(ENCRYPTED, tmp_path / "home")


def test_every_section_with_something_to_run_is_followed() -> None:
    followed = [example for section in (EVENING, DUMPS, ENCRYPTED) for example in examples_of(section)]
    assert followed == list(examples(PAGE))


def test_what_is_not_run_is_said() -> None:
    assert pages.prose(PAGE).replace("\n", " ").count("not run by the test") >= len(places.not_run(PAGE))


def test_the_table_of_exit_codes_names_codes_that_there_are() -> None:
    known = {str(error.exit_code) for error in _tree(BackyError)} | {"129", "130", "143", str(UsageError.exit_code)}
    table = next(pages.tables(pages.sections(PAGE, 2)["Exit codes"]))
    assert table[0][-1] == "here"
    for row in table[1:]:
        assert set(re.findall(r"\d+", row[-1])) <= known, row


def test_the_table_of_the_configuration_names_what_is_not_used() -> None:
    text = pages.sections(PAGE, 2)["Configuration"]
    rows = {name: row[1] for row in next(pages.tables(text)) for name in pages.named(row[0])}
    for theirs, ours in legacy.SECTIONS.items():
        assert ours in rows[f"[{theirs}]"] or "not used" in rows[f"[{theirs}]"], theirs
    for section in legacy.IGNORED_SECTIONS:
        assert "not used" in rows[f"[{section}]"], section
    for _, key in (*legacy.IGNORED_KEYS, *legacy.MOVED_KEYS):
        assert key in rows, key


def _tree(error: type[BackyError]) -> set[type[BackyError]]:
    return {error}.union(*(_tree(each) for each in error.__subclasses__()))
