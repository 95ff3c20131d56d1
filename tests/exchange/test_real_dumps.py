"""Dumps that real releases of the original wrote: they arrive, restore, and go out again as they came."""

from __future__ import annotations

import csv
import io

import pytest

from tests.exchange import dumps
from tests.exchange.site import Site
from tests.support.original import RELEASES

DAMAGED = 20
INCOMPLETE = "a1-migrate-failed.csv"
RELEASES_29 = ("2917-bs4096", "2917-bs65536")


@pytest.fixture
def site(tmp_path, monkeypatch, request):
    """Our command over the store of one release."""
    made = Site(tmp_path / "site", getattr(request, "param", "2917-bs65536"))
    monkeypatch.chdir(made.folder)
    return made


def valid_dumps(release):
    """The dumps of versions that the original held for valid, each once."""
    return [
        name for name in dumps.names(release) if name.endswith(".csv") and name not in (INCOMPLETE, "b1-invalid.csv")
    ]


def rows(dump):
    """The cells of a dump, by rows."""
    return list(csv.reader(io.StringIO(dump.decode(), newline="")))


def imported(site, names):
    """Import these dumps; the uid of each."""
    uids = {}
    for name in names:
        code, err = site.import_(dumps.dump(site.release, name))
        assert code == 0, err
        uids[name] = rows(dumps.dump(site.release, name))[1][0]
    return uids


@pytest.mark.parametrize("site", RELEASES, indirect=True)
def test_every_dump_imports_into_an_empty_database_and_its_version_restores(site):
    uids = imported(site, valid_dumps(site.release))
    assert dict.fromkeys(uids.values(), "valid") == site.ls()
    assert set(site.original.good) <= set(uids.values())
    for uid in uids.values():
        code, digest = site.restore(uid)
        if uid in site.original.good:
            assert (code, digest) == (0, site.original.good[uid])
        else:
            assert code == DAMAGED
    bad = [uid for uid in uids.values() if uid not in site.original.good]
    assert {site.ls()[uid] for uid in bad} <= {"damaged"}


@pytest.mark.parametrize("site", RELEASES_29, indirect=True)
def test_a_dump_of_release_2_9_goes_out_as_it_came_but_for_some_dates_of_blocks(site):
    for name, uid in imported(site, valid_dumps(site.release)).items():
        before, after = rows(dumps.dump(site.release, name)), rows(site.export(uid))
        assert before[:2] == after[:2]
        for old, new in zip(before[2:], after[2:], strict=True):
            assert old[:3] + old[4:] == new[:3] + new[4:]
        dated = [old for old, new in zip(before[2:], after[2:], strict=True) if old[3] != new[3]]
        assert all(old[0] == "" or shared(site, name, old[0]) for old in dated)


def shared(site, name, uid):
    """True if another dump, too, speaks of this blob."""
    return any(uid.encode() in dumps.dump(site.release, other) for other in valid_dumps(site.release) if other != name)


@pytest.mark.parametrize("site", RELEASES_29, indirect=True)
def test_the_first_dump_of_release_2_9_goes_out_byte_for_byte_where_no_block_is_sparse(site):
    dump = dumps.dump(site.release, "b1.csv")
    [uid] = imported(site, ["b1.csv"]).values()
    exported = site.export(uid)
    differing = [old for old, new in zip(dump.splitlines(), exported.splitlines(), strict=True) if old != new]
    assert len(dump) == len(exported)
    assert all(line.startswith(b",") for line in differing)


@pytest.mark.parametrize("site", [name for name in RELEASES if "b1-invalid.csv" in dumps.names(name)], indirect=True)
def test_a_version_that_the_original_found_damaged_arrives_as_damaged_and_goes_out_so(site):
    code, err = site.import_(dumps.dump(site.release, "b1-invalid.csv"))
    assert code == DAMAGED
    assert "arrived, but damaged" in err
    [(uid, state)] = site.ls().items()
    assert state == "damaged"
    assert site.restore(uid)[0] == DAMAGED
    if site.release in RELEASES_29:
        before, after = rows(dumps.dump(site.release, "b1-invalid.csv")), rows(site.export(uid))
        assert [row[-1] for row in before[2:]] == [row[-1] for row in after[2:]]
        assert before[1] == after[1]


@pytest.mark.parametrize("site", ["213-mixed-bs65536"], indirect=True)
def test_an_incomplete_version_arrives_as_damaged_and_a_scrub_does_not_make_it_valid(site):
    code, err = site.import_(dumps.dump(site.release, INCOMPLETE))
    assert code == DAMAGED
    assert err.count(" lost") == 1
    assert "32 of its 33 blocks are lost" in err
    [(uid, _)] = site.ls().items()
    assert site.call("scrub", uid)[0] == DAMAGED
    assert site.ls() == {uid: "damaged"}
    assert site.call("export", "--dump-format", "original", uid, "x")[0] == 2
    again = site.export(uid)
    assert b'["lost",32]' in again


@pytest.mark.parametrize(
    "site", [name for name in RELEASES if "export-b1-stdout.txt" in dumps.names(name)], indirect=True
)
def test_what_old_releases_printed_with_their_log_around_it_imports(site):
    code, err = site.import_(dumps.dump(site.release, "export-b1-stdout.txt"))
    assert code == 0, err
    [uid] = site.ls()
    assert uid == site.original.uids["b1"]


@pytest.mark.parametrize("site", ["213-enc-bs4096", "213-mixed-bs65536", "2917-bs65536"], indirect=True)
def test_what_came_from_the_original_goes_through_our_own_format_unchanged(site, tmp_path, monkeypatch):
    uids = imported(site, valid_dumps(site.release))
    exported = {uid: site.export(uid, "--dump-format", "own") for uid in uids.values()}
    other = Site(tmp_path / "other", site.release)
    monkeypatch.chdir(other.folder)
    for uid, dump in exported.items():
        assert other.import_(dump)[0] == 0
        assert without_store(other.export(uid, "--dump-format", "own")) == without_store(dump)
        if uid in other.original.good:
            assert other.restore(uid) == (0, other.original.good[uid])


def without_store(dump):
    """The lines of a dump of ours that do not name the store, nor sum up all bytes."""
    lines = dump.splitlines()
    return [lines[0], lines[1].partition(b'"store"')[0], *lines[2:-1], lines[-1].partition(b'"sha256"')[0]]


@pytest.mark.parametrize("site", ["213-enc-bs4096", "213-mixed-bs65536"], indirect=True)
def test_a_version_with_encrypted_blocks_is_written_in_our_own_format_only(site):
    [uid] = imported(site, ["a2.csv"]).values()
    code, _, err = site.call("export", "--dump-format", "original", uid, "x")
    assert code == 2
    assert "compressed or encrypted" in err
    assert "--dump-format own" in err
    assert not (site.folder / "x").exists()
    assert site.export(uid).startswith(b'{"backy2"')
