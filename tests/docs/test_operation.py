"""The copies that docs/operation.md tells to make can be restored from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.shell import Example, run

PAGE = "docs/operation.md"
CONFIG = """
cat > {name}.cfg <<END
[data_backend]
path = {folder}/store
[meta_backend]
engine = sqlite:///{folder}/backy2.sqlite
END
"""


@pytest.mark.parametrize("tools", [("sqlite3",), ("sqlite3", "rsync")])
def test_a_copy_made_as_the_page_says_can_be_restored_from(tmp_path: Path, tools: tuple[str, ...]) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    [script] = [
        block.text
        for block in pages.blocks(PAGE)
        if ".backup" in block.text and ("rsync" in block.text) == ("rsync" in tools)
    ]
    first, copy = tmp_path / "first", tmp_path / "copy"
    for folder in (first, copy):
        folder.mkdir()
        run(Example(CONFIG.format(name=folder.name, folder=folder), 0, ()), tmp_path)
    run(Example("head -c 9M /dev/urandom > disk.img\nbacky2 -c first.cfg initdb", 0, ()), tmp_path)
    run(Example("backy2 -c first.cfg backup file://disk.img vm", 0, ()), tmp_path)
    for there, here in (
        ("/var/lib/backy2/", f"{first}/"),
        ("/mnt/backup/backy2/", f"{first}/"),
        ("/mnt/elsewhere/backy2/", f"{copy}/"),
    ):
        script = script.replace(there, here)
    assert "/mnt" not in script
    run(Example(script, 0, ()), tmp_path)
    if "rsync" not in tools:
        shutil.copytree(first / "store", copy / "store")
    shutil.rmtree(first)
    run(Example("backy2 -c copy.cfg restore latest:vm file://back.img && cmp disk.img back.img", 0, ()), tmp_path)
    run(Example("backy2 -c copy.cfg scrub latest:vm", 0, ("| damaged_blocks | 0 |",)), tmp_path)
