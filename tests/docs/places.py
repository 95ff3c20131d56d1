"""Lets pages speak of system folders: the test that follows them has the same folders below its home."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.docs import pages
from tests.docs.shell import examples, run

FOLDERS = ("etc", "mnt", "opt", "srv", "usr/local", "var")
_PATH = re.compile(rf"(?<![\w.%~-])/(?=(?:{'|'.join(FOLDERS)})\b)")


def below(script: str, home: Path) -> str:
    """The script with ``/etc/...`` and the like below ``home``."""
    return _PATH.sub(lambda _: f"{home}/", script)


def walk(page: str, home: Path, environment: Mapping[str, str]) -> int:
    """Run all examples of a page, in order; how many there were. The page speaks of folders from the root."""
    exports = "".join(f"export {name}={value!r}\n" for name, value in environment.items())
    found = list(examples(page))
    for example in found:
        run(replace(example, script=exports + below(example.script, home)), home)
    return len(found)


def not_run(page: str) -> list[str]:
    """The blocks of shell on a page that no test runs."""
    return [block.text for block in pages.blocks(page) if block.info == "sh"]
