"""Verb ``diff-meta``: its lines, what it says beside them, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from tests.cli.conftest import MIB, Backy

BLOCK = 4 * MIB


def backup(backy: Backy, letters: str, *options: str) -> str:
    """Back up a block of each letter, a full stop being zeros; the uid."""
    content = b"".join(bytes(BLOCK) if letter == "." else letter.encode() * BLOCK for letter in letters)
    Path(backy.image.removeprefix("file://")).write_bytes(content)
    return backy.ok(*options, "-m", "backup", backy.image, "vm").strip()


@pytest.fixture
def pair(backy: Backy) -> tuple[str, str]:
    """Two versions; blocks 1 and 3 of the first differ in the second, which has a block more."""
    return backup(backy, "ab.d"), backup(backy, "ax..e")


LINES = ["SAME      0", "DIFF      1", "SAME      2", "DIFF      3", "NEW RIGHT 4"]


def test_the_lines_are_those_of_the_original_and_those_it_never_came_to(backy: Backy, pair: tuple[str, str]) -> None:
    ended = backy.call("diff-meta", *pair)
    assert ended.out.splitlines() == LINES
    assert "5 blocks: 2 the same, 2 different, 0 only in the left version, 1 only in the right one" in ended.err
    turned = backy.ok("diff-meta", *reversed(pair)).splitlines()
    assert turned == [*LINES[:4], "NEW LEFT  4"]


def test_machine_output_is_the_lines_and_nothing_else(backy: Backy, pair: tuple[str, str]) -> None:
    ended = backy.call("-m", "diff-meta", *pair)
    assert (ended.code, ended.out.splitlines(), ended.err) == (0, LINES, "")


def test_blocks_that_are_the_same_can_be_left_out(backy: Backy, pair: tuple[str, str]) -> None:
    lines = backy.ok("diff-meta", "--only-changed", *pair).splitlines()
    assert lines == [line for line in LINES if not line.startswith("SAME")]
    assert backy.ok("diff-meta", "--only-changed", pair[0], pair[0]) == ""


def test_versions_may_be_named_by_a_beginning_or_as_the_latest(backy: Backy, pair: tuple[str, str]) -> None:
    assert backy.ok("diff-meta", pair[0][:8], "latest:vm").splitlines() == LINES


def test_it_works_while_the_store_is_away(backy: Backy, pair: tuple[str, str]) -> None:
    os.rename(backy.store, backy.folder / "away")
    assert backy.ok("diff-meta", *pair).splitlines() == LINES
    assert not backy.store.exists()


def test_a_version_that_is_not_there_is_an_error(backy: Backy, pair: tuple[str, str]) -> None:
    ended = backy.call("diff-meta", pair[0], "nothing")
    assert (ended.code, ended.out) == (16, "")


def other_settings(backy: Backy, *lines: str) -> str:
    """A configuration with other settings on the same database and store."""
    data = backy.folder / "data" / "backy2"
    path = backy.folder / "other.cfg"
    path.write_text(
        f"[DEFAULTS]\n{chr(10).join(lines)}\nlogfile: {backy.folder}/log\n"
        f"[MetaBackend]\ntype: sql\nengine: sqlite:///{next(data.glob('*.sqlite*'))}\n"
        f"[DataBackend]\ntype: file\npath: {backy.store}\n"
    )
    return str(path)


def test_versions_of_different_block_sizes_cannot_be_compared(backy: Backy, pair: tuple[str, str]) -> None:
    other = backup(backy, "a", "-c", other_settings(backy, "block_size: 65536"))
    ended = backy.call("diff-meta", pair[0], other)
    assert (ended.code, ended.out) == (2, "")
    assert "65536" in ended.err


def test_blocks_of_different_hash_functions_are_told_in_a_warning(backy: Backy, pair: tuple[str, str]) -> None:
    other = backup(backy, "ab.d", "-c", other_settings(backy, "hash_function: sha256"))
    ended = backy.call("-q", "diff-meta", "--only-changed", pair[0], other)
    assert (ended.code, ended.out.split()) == (0, ["DIFF", "0", "DIFF", "1", "DIFF", "3"])
    assert "WARNING: 3 blocks of those marked DIFF have checksums of different hash functions" in ended.err


def sql(backy: Backy, statement: str) -> None:
    database = next((backy.folder / "data" / "backy2").glob("*.sqlite*"))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement.format(prefix=table_prefix(connection)))


def table_prefix(connection: sqlite3.Connection) -> str:
    (name,) = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%segments'").fetchone()
    return str(name).removesuffix("segments")


def test_a_damaged_segment_is_told_after_the_lines_with_exit_code_20(backy: Backy, pair: tuple[str, str]) -> None:
    sql(backy, "UPDATE {prefix}segments SET data = CAST(substr(data, 25) || substr(data, 1, 24) AS BLOB) WHERE id = 1")
    ended = backy.call("diff-meta", *pair)
    assert (ended.code, len(ended.out.splitlines())) == (20, 5)
    assert "4 blocks could not be compared" in ended.err


class RemovesWhenWrittenTo(io.StringIO):
    """Standard output that removes a version, with all that only it has, once the first lines are there."""

    def __init__(self, backy: Backy, uid: str) -> None:
        super().__init__()
        self._commands = [("rm", uid), ("cleanup",), ("cleanup",)]
        self._backy = backy

    def write(self, text: str) -> int:
        while self._commands:
            assert self._backy.run(*self._commands.pop(0)).code == 0
        return super().write(text)


def test_a_version_that_is_removed_meanwhile_is_not_called_damaged(backy: Backy) -> None:
    backy.ok("ls")  # sets up the database
    options, uids = ("-c", other_settings(backy, "block_size: 512")), []
    for letter in (b"a", b"b"):
        with Path(backy.image.removeprefix("file://")).open("wb") as image:
            image.seek(512 * 128 * 100)
            image.write(letter * 512)
        uids.append(backy.ok(*options, "-m", "backup", backy.image, "vm").strip())
    with (
        contextlib.redirect_stdout(RemovesWhenWrittenTo(backy, uids[0])),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = main(("diff-meta", *uids))
    assert (code, f"There is no version {uids[0]}" in err.getvalue()) == (16, True)


def test_a_reader_that_went_away_is_no_noise(backy: Backy, pair: tuple[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        ended = backy.run("-m", "diff-meta", *pair, stdout=gone)
    assert (ended.code, ended.err) == (141, "")
