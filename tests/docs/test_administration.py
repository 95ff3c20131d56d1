"""The pages of docs/administration are followed, one after the other, in one empty home."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from backy2_core.cli.app import BackyApp
from tests.docs import pages, places

FOLDER = "docs/administration"
GUIDE = [f"{FOLDER}/{name}.md" for name in ("setting-up", "backing-up", "versions", "restoring", "metadata")]
WALK = [*GUIDE, "docs/operation.md"]
INDEX = f"{FOLDER}/README.md"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The number of examples that were run, page by page; each had the outcome that its page promises."""
    home = tmp_path_factory.mktemp("home")
    environment = {"BACKY2_CONFIG": str(home / "etc/backy2/plugins.cfg")}
    return {page: places.walk(page, home, environment) for page in WALK}


def test_the_guide_works_as_it_stands(walked: dict[str, int]) -> None:
    assert all(walked[page] >= 3 for page in WALK), walked


def test_the_index_names_the_pages_in_the_order_of_the_walk() -> None:
    links = [link for link in pages.links(INDEX) if "/" not in link and "#" not in link]
    assert [f"{FOLDER}/{link}" for link in links] == GUIDE


@pytest.mark.parametrize("page", GUIDE)
def test_what_is_not_run_is_sound_shell_and_says_why_it_is_not(page: str) -> None:
    scripts = places.not_run(page)
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert pages.prose(page).count("not run by the test") >= len(scripts)


def test_every_verb_is_described() -> None:
    texts = "".join(pages.text_of(page) for page in pages.pages() if page.parent != Path("docs/commands"))
    for verb in BackyApp(io.StringIO(), io.StringIO()).catalogue.summaries():
        assert f"backy2 {verb.name}" in texts, verb.name
