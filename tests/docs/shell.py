"""The shell blocks of a page: run in order, and compared with what the page says they print."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs import pages


@dataclass(frozen=True)
class Example:
    """One block to be run. ``prints`` are lines of its output, in order; ``...`` in them stands for anything."""

    script: str
    code: int
    prints: tuple[str, ...]


def examples(page: str) -> Iterator[Example]:
    """The blocks marked ``sh run`` (or ``sh run code=N``), each with the block ``text prints`` that follows it."""
    blocks = [*pages.blocks(page), pages.Block(Path(page), "", "")]
    for block, following in itertools.pairwise(blocks):
        words = block.info.split()
        if words[:2] != ["sh", "run"]:
            continue
        [code] = [int(word.removeprefix("code=")) for word in words[2:]] or [0]
        prints = following.text.splitlines() if following.info == "text prints" else []
        yield Example(block.text, code, tuple(line for line in prints if line.strip() != "..."))


def run(example: Example, home: Path) -> None:
    """Run one block as in a terminal whose home folder is ``home``; its code and its output must be as the page says."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BACKY2", "XDG_"))}
    environ |= {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}", "COLUMNS": "100"}
    # Even root then keeps the log below the home.
    environ["XDG_STATE_HOME"] = str(home / ".local/state")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example.script],
        cwd=home,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == example.code, f"{example.script}\nended with {done.returncode}:\n{done.stdout}"
    output, at = " ".join(done.stdout.split()), 0
    for line in example.prints:
        pattern = re.escape(" ".join(line.split())).replace(r"\.\.\.", ".*?")
        found = re.compile(pattern).search(output, at)
        assert found, f"{example.script}\ndid not print\n{line}\nbut\n{done.stdout}"
        at = found.end()
