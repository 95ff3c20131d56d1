"""docs/format.md is enough to read a backup, and names every table and column there is."""

from __future__ import annotations

import inspect
import os
import random
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import backy2_plugins.data_backends.file as file_store
from backy2_core.engine.backup import backup
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.requests import BackupRequest
from backy2_core.engine.store import FORMAT
from backy2_core.model import segment
from backy2_core.model.blob import LOST, SPARSE, BlobState, JobToken, blob_uid
from backy2_core.model.block import MAX_BLOCK_SIZE, MIN_BLOCK_SIZE
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.version import VersionState
from backy2_plugins.data_backends.file import layout
from backy2_plugins.meta_backends.sql.maps import PART_IDS
from backy2_plugins.meta_backends.sql.schema import REVISIONS, tables
from tests.docs import pages, reader
from tests.support.engines import folder_engine

PAGE = "docs/format.md"
BLOCK = 4096
SEGMENTS = 3


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str, bytes]:
    """A folder with an engine's database and store; the uid and the content of an incremental version in it.

    Content: random, repeated and zero blocks, holes, a last block that is short; kept, shared and new segments; blocks of
    two hash functions.
    """
    random_bytes = random.Random(7).randbytes
    repeated = random_bytes(BLOCK)
    first = b"".join(
        [random_bytes(BLOCK * 130), bytes(BLOCK * 20), repeated * 40, bytes(BLOCK * 100), random_bytes(BLOCK * 9 + 77)]
    )
    image = tmp_path / "image"
    image.write_bytes(first)
    with folder_engine(tmp_path, hash_function="sha512") as engine:
        base = backup(engine, BackupRequest(f"file://{image}", "vm")).version
    changed = first[: 3 * BLOCK] + random_bytes(BLOCK) + first[4 * BLOCK :] + repeated
    image.write_bytes(changed)
    hints = parse_hints(f'[{{"offset": {3 * BLOCK}, "length": 1, "exists": true}}]')
    with folder_engine(tmp_path, sanity_check_blocks=200) as engine:
        request = BackupRequest(f"file://{image}", "vm", base=base.uid, hints=hints)
        version = backup(engine, request).version
    return tmp_path, version.uid, changed


def test_an_independent_reader_reads_what_the_engine_wrote(made: tuple[Path, str, bytes]) -> None:
    folder, uid, content = made
    assert b"".join(reader.read_version(folder / "meta.sqlite", folder / "data", uid)) == content


def test_the_reader_is_a_program_that_knows_nothing_of_backy2(made: tuple[Path, str, bytes]) -> None:
    folder, uid, content = made
    command = [sys.executable, str(pages.ROOT / "tests/docs/reader.py"), folder / "meta.sqlite", folder / "data", uid]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    assert done.stdout == content
    imported = set(re.findall(r"^\s*(?:from|import) ([\w.]+)", inspect.getsource(reader), re.MULTILINE))
    standard = {"hashlib", "json", "math", "sqlite3", "struct", "sys", "collections.abc", "pathlib"}
    assert imported == standard | {"blake3"}


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE backy2_segments SET data = zeroblob(length(data))",
        "UPDATE backy2_versions SET size_bytes = size_bytes - 1",
        "UPDATE backy2_versions SET digest = zeroblob(32)",
        "UPDATE backy2_blobs SET checksum = zeroblob(32)",
        "UPDATE backy2_maps SET data = CAST(substr(data, 9) || substr(data, 1, 8) AS BLOB)",
        "UPDATE backy2_maps SET data = substr(data, 9)",
    ],
)
def test_the_reader_refuses_an_edited_database(made: tuple[Path, str, bytes], harm: str) -> None:
    folder, uid, _ = made
    with closing(sqlite3.connect(folder / "meta.sqlite")) as db, db:
        db.execute(harm)
    with pytest.raises(AssertionError):
        list(reader.read_version(folder / "meta.sqlite", folder / "data", uid))


def test_the_reader_refuses_a_changed_blob(made: tuple[Path, str, bytes]) -> None:
    folder, uid, _ = made
    for path in (folder / "data").rglob("*.blob"):
        os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(AssertionError):
        list(reader.read_version(folder / "meta.sqlite", folder / "data", uid))


def test_every_table_is_described_column_by_column() -> None:
    known = tables("")
    expected = {table.name: [column.name for column in table.columns] for table in known.metadata.sorted_tables}
    expected["schema"] = [column.name for column in known.schema.columns]
    described = {
        name: [column for row in next(pages.tables(text))[1:] for column in pages.named(row[0])]
        for name, text in pages.sections(PAGE, 3).items()
        if name in expected
    }
    assert described == expected


@pytest.mark.parametrize(("table", "states"), [("blobs", BlobState), ("versions", VersionState), ("jobs", JobState)])
def test_states_have_their_numbers(table: str, states: type[BlobState | VersionState | JobState]) -> None:
    rows = list(pages.tables(pages.sections(PAGE, 3)[table]))[1][1:]
    assert [(int(number), name) for number, name, _ in rows] == [(s.value, s.name.lower()) for s in states]


def test_kinds_of_jobs_are_named() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 3)["jobs"]))
    [kinds] = [row[2] for row in rows if row[0] == "`kind`"]
    assert set(pages.named(kinds)) == {kind.value for kind in JobKind}


def test_the_sizes_and_numbers_are_those_of_the_code() -> None:
    text = " ".join(pages.text_of(PAGE).split())
    for phrase in (
        f"Format of the store: **{FORMAT}**",
        f"Revision of the tables: **{REVISIONS[-1]}**",
        f"exactly {PART_IDS} ids",
        f"describes the blocks `{segment.SEGMENT_BLOCKS} n`",
        f"has `{segment.ENTRY_BYTES} k` bytes",
        f"the first {segment.LEAF_BYTES} bytes of the block's checksum",
        f"{MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE}",
        f"`{layout.DOCUMENT_FOLDER}/store.json`",
        f"`{layout.STAGING_FOLDER}/`",
        '`"backy2 segment"`',
        '`"backy2 version"`',
        "`[0-9A-Za-z_-]{4,200}`",
    ):
        assert phrase in text, phrase
    assert (SPARSE, LOST) == (0, -1)
    assert (pages.ROOT / file_store.__file__).parent.name == "file"


def test_the_examples_of_uids_are_right() -> None:
    token = JobToken("0123456789abcdef")
    for number in (1, 256):
        assert f"`{blob_uid(token, number)}`" in pages.text_of(PAGE)
