"""The pages of the documentation, and what tests want out of them: blocks, tables, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the opening fence, its text, and the page it is on."""

    page: Path
    info: str
    text: str


def pages() -> list[Path]:
    """Every page, as a path from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def text_of(page: Path | str) -> str:
    """A page as it stands."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: Path | str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(Path(page), match["info"].strip(), match["text"]) for match in _FENCE.finditer(text_of(page))]


def prose(page: Path | str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def links(page: Path | str) -> list[str]:
    """Where the links of a page lead, those of the web left out."""
    without_code = re.sub(r"`[^`\n]*`", "", prose(page))
    return [link for link in _LINK.findall(without_code) if "://" not in link and not link.startswith("mailto:")]


def anchors(page: Path | str) -> set[str]:
    """What a link may name behind ``#``: the headings, in the usual spelling."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def sections(page: Path | str, level: int) -> dict[str, str]:
    """The text under each heading of this level, by the heading without backticks."""
    marks = "#" * level
    parts = re.split(rf"^{marks} (.+)$", text_of(page), flags=re.MULTILINE)
    ends = re.compile(rf"^#{{1,{level - 1}}} ", re.MULTILINE)
    return {
        heading.replace("`", "").strip(): ends.split(text)[0]
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of each table in a text, heads first, without the line below the head."""
    for match in re.finditer(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        rows = [
            [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in match[0].splitlines()
        ]
        yield [row for row in rows if not set("".join(row)) <= set("-: ")]


def named(cell: str) -> list[str]:
    """The words in backticks of a cell."""
    return re.findall(r"`([^`]+)`", cell)
