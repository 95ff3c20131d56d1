"""Faults 6, 9, 10 and 19: dumps that are cut, damaged, contradictory or malicious, and a dump on standard output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.original import Original, text
from tests.faults.site import EXCHANGE, EXISTS, Site, blocks

CONTENT = blocks([1, 2, 0, 3, 2]) + b"tail"


@pytest.fixture
def original(site: Site) -> Original:
    """The store of the original is ours; its version is not here yet. Beside it there is one of our own."""
    made = Original(site.store)
    made.back_up(CONTENT)
    site.backup(blocks([1, 7]), name="ours")
    return made


def _cell(line: int, cell: int, value: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        cells = lines[line].split(",")
        cells[cell] = value
        return [*lines[:line], ",".join(cells), *lines[line + 1 :]]

    return change


OTHER_UID = "d91be794-2f21-11e7-b961-a44e314f9270"
BAD: dict[str, Callable[[list[str]], list[str]]] = {
    "empty": lambda lines: [],
    "header-only": lambda lines: lines[:1],
    "unknown-header": lambda lines: ["backy2 Version 2.3 metadata dump", *lines[1:]],
    "no-blocks": lambda lines: lines[:2],
    "cut-at-a-row": lambda lines: lines[:-1],
    "cut-within-a-row": lambda lines: [*lines[:-1], lines[-1][:60]],
    "one-row-lacks": lambda lines: [*lines[:4], *lines[5:]],
    "one-row-twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "rows-out-of-order": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "a-row-too-many": lambda lines: [*lines, lines[-1]],
    "blank-line-within": lambda lines: [*lines[:4], "", *lines[4:]],
    "version-row-lacks-a-cell": lambda lines: [lines[0], lines[1].rpartition(",")[0], *lines[2:]],
    "block-row-lacks-a-cell": lambda lines: [*lines[:3], lines[3].rpartition(",")[0], *lines[4:]],
    "block-row-has-a-cell-more": lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]],
    "bad-date-of-a-block": _cell(3, 3, "yesterday"),
    "bad-date-of-the-version": _cell(1, 1, "2024-13-45 00:00:00"),
    "block-of-another-version": _cell(3, 1, OTHER_UID),
    "size-of-a-block": _cell(3, 5, "4095"),
    "size-of-the-version": _cell(1, 5, "9999999"),
    "negative-number": _cell(2, 2, "-1"),
    "no-number": _cell(2, 2, "one"),
    "short-checksum": _cell(3, 4, "abcdef"),
    "checksum-of-other-letters": _cell(3, 4, "g" * 128),
    "no-checksum": _cell(3, 4, ""),
    "path-as-a-uid": _cell(3, 0, "../../../../secret"),
    "absolute-path-as-a-uid": _cell(3, 0, "/etc/passwd"),
    "short-uid": _cell(3, 0, "ab"),
}


def _tables(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """What the database holds of versions and blobs; that a version was given up may stay on record."""
    versions = site.rows("SELECT * FROM backy2_versions WHERE state NOT IN (4, 5) ORDER BY id")
    names = ("maps", "segments", "blobs", "tags", "statistics")
    return {"versions": versions} | {name: site.rows(f"SELECT * FROM backy2_{name} ORDER BY 1, 2") for name in names}


def _file(site: Site, lines: list[str], end: str = "\r\n") -> Path:
    path = site.folder / "dump.csv"
    path.write_bytes(text(lines, end))
    return path


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_fault_06_a_refused_import_changes_nothing_and_lets_a_good_one_follow(
    bad: Callable[[list[str]], list[str]], site: Site, original: Original
) -> None:
    """The original's ended with 0, stored nothing, and put the blocks on the list of those to be deleted.

    Here it is refused with 23; cleanups then delete nothing of it, and the right dump imports and restores.
    """
    (backup,) = original.backups
    good = original.dump(backup.uid)
    before, objects = _tables(site), site.objects()
    refused = site.call("import", str(_file(site, bad(good))))
    assert (refused.code, refused.out) == (EXCHANGE, ""), refused
    assert "dump.csv, line " in refused.err or not bad(good)
    assert _tables(site) == before
    for _ in range(2):
        site.ok("cleanup", "--full")
    assert site.objects() == objects
    site.ok("import", str(_file(site, good)))
    assert site.restored(backup.uid) == CONTENT


def test_fault_06_a_version_that_is_here_already_is_left_as_it_is(site: Site, original: Original) -> None:
    """As in the original, exit code 22; and nothing of it becomes a candidate for deletion."""
    (backup,) = original.backups
    path = str(_file(site, original.dump(backup.uid)))
    site.ok("import", path)
    before, objects = _tables(site), site.objects()
    assert site.call("import", path).code == EXISTS
    assert _tables(site) == before
    site.ok("cleanup", "--full")
    assert site.objects() == objects


def test_fault_06_a_dump_that_contradicts_what_is_known_of_a_blob_changes_nothing(
    site: Site, original: Original
) -> None:
    """Whether a blob is another's whose checksum is known, or one of ours; and both within one dump."""
    one, two = original.backups[0].uid, original.back_up(blocks([2, 4]))
    site.ok("import", str(_file(site, original.dump(one))))
    before, good = _tables(site), original.dump(two)
    ours = next(uid for uid, _ in site.rows("SELECT uid, id FROM backy2_blobs WHERE state = 1"))
    wrong = "0" * 128
    for bad in (_cell(2, 4, wrong), _cell(2, 0, ours), _cell(3, 0, good[2].partition(",")[0])):
        refused = site.call("import", str(_file(site, bad(good))))
        assert refused.code == EXCHANGE, refused
        assert "line " in refused.err.lower()
        assert _tables(site) == before
    site.ok("import", str(_file(site, good)))
    assert site.restored(two) == blocks([2, 4])


def test_fault_06_a_dump_of_our_own_of_which_any_byte_changed_is_refused_and_changes_nothing(site: Site) -> None:
    """The format that loses nothing carries a checksum of itself."""
    uid = site.backup(CONTENT)
    path = site.folder / "own"
    site.ok("export", "--dump-format", "own", uid, str(path))
    other = Site(site.folder / "other", store=site.store)
    other.ok("initdb")
    whole, before = path.read_bytes(), _tables(other)
    for at in range(0, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        refused = other.call("import", str(path))
        assert refused.code == EXCHANGE, (at, refused)
        assert _tables(other) == before
    path.write_bytes(whole)
    other.ok("import", str(path))
    assert other.restored(uid) == CONTENT


@pytest.mark.parametrize("count", range(1, 8))
def test_fault_10_a_dump_that_was_cut_is_refused_wherever_it_was_cut(
    count: int, site: Site, original: Original
) -> None:
    """The original took one cut between two rows as a valid version, whose restore then filled in zeros."""
    (backup,) = original.backups
    lines = original.dump(backup.uid)
    assert len(lines) == 8
    refused = site.call("import", str(_file(site, lines[:count])))
    assert refused.code == EXCHANGE
    if count > 1:
        assert f"line {count}" in refused.err
    assert [version["name"] for version in site.versions()] == ["ours"]


def test_fault_10_a_dump_of_our_own_that_was_cut_is_refused(site: Site) -> None:
    """The same for the format that loses nothing."""
    uid = site.backup(CONTENT)
    path = site.folder / "own"
    site.ok("export", "--dump-format", "own", uid, str(path))
    whole = path.read_bytes()
    site.ok("rm", uid)
    site.ok("cleanup")
    lines = whole.splitlines(keepends=True)
    cuts = [b"".join(lines[:n]) for n in range(len(lines))] + [whole[: len(whole) * n // 7] for n in range(7)]
    for cut in [*cuts, whole[:-2]]:
        path.write_bytes(cut)
        assert site.call("import", str(path)).code == EXCHANGE, cut
    assert site.versions() == []


@pytest.mark.parametrize(
    ("hash_function", "option"), [("sha512", "-m"), ("sha512", "-v"), ("blake3", "-m"), ("blake3", "-q")]
)
def test_fault_09_what_export_prints_on_standard_output_imports_again(
    hash_function: str, option: str, site: Site
) -> None:
    """The original mixed log lines into it, and with ``-m`` ended it with a blank line: its import then dropped it all."""
    site.configure({"hash_function": hash_function})
    uid = site.backup(CONTENT)
    path = site.folder / "printed"
    with path.open("w", newline="") as file:
        assert site.run(option, "export", uid, "-", stdout=file).code == 0
    site.ok("export", uid, str(site.folder / "file"))
    assert path.read_bytes() == (site.folder / "file").read_bytes()
    other = Site(site.folder / "other", store=site.store)
    with path.open() as file:
        other.ok("initdb")
        imported = other.run("import", "-", stdin=file)
    assert imported.code == 0, imported
    assert other.restored(uid) == CONTENT


def test_fault_09_what_the_original_printed_imports_too(site: Site, original: Original) -> None:
    """Log lines before the header, a blank line behind the last row, and a last word of the log."""
    (backup,) = original.backups
    before = [f"    INFO: $ backy2 export {backup.uid} -"]
    after = ["", "    INFO: Backy complete.", ""]
    for lines, end in ((original.dump(backup.uid), "\r\n"), (original.dump(backup.uid), "\n")):
        site.ok("import", str(_file(site, [*before, *lines, *after], end)))
        assert site.restored(backup.uid) == CONTENT
        site.ok("rm", "--force", backup.uid)
        site.ok("cleanup")


def test_fault_19_no_dump_makes_a_file_outside_of_the_store_readable(site: Site, original: Original) -> None:
    """The original took any text as the uid of a block, and so as a path; and a row of another version for its own."""
    (backup,) = original.backups
    secret = site.folder / "secret.blob"
    secret.write_bytes(blocks([1]))
    good = original.dump(backup.uid)
    up = [
        "../secret",
        "../../secret",
        "../../../secret",
        "..",
        "../..",
        str(secret),
        str(secret.with_suffix("")),
        "a/b",
    ]
    for uid in [*up, *("x" * n + "/" for n in (1, 3, 31)), "A" * 32, "%2e%2e" * 5, "..\\secret"]:
        refused = site.call("import", str(_file(site, _cell(2, 0, uid)(good))))
        assert refused.code == EXCHANGE, uid
        assert "line 3" in refused.err
    for uid in ("../../x", "a" * 36, ""):
        refused = site.call("import", str(_file(site, [line.replace(backup.uid, uid) for line in good])))
        assert refused.code == EXCHANGE, uid
    other = site.versions()[0]["uid"]
    refused = site.call("import", str(_file(site, _cell(4, 1, other)(good))))
    assert (refused.code, "line 5" in refused.err) == (EXCHANGE, True)
    assert [version["name"] for version in site.versions()] == ["ours"]
    assert secret.read_bytes() == blocks([1])
