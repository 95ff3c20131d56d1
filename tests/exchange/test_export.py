"""``backy2 export``: which format it picks, what it writes where, and what it refuses."""

from __future__ import annotations

import io
import os
import stat
import subprocess

import pytest

from backy2_core.engine.progress import NoProgress
from backy2_core.errors import DamageError, ExchangeError, RefusedError, UsageError
from backy2_core.exchange.contents import USUAL_HASH
from backy2_core.exchange.dumps import import_dump
from backy2_core.exchange.export import DumpFormat, Export
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, image
from tests.exchange import dumps
from tests.exchange.test_own_dump import exported
from tests.exchange.test_real_dumps import rows
from tests.exchange.twin import Twin

NOT_FOUND, REFUSED, USAGE, EXCHANGE, OUTPUT_CLOSED = 16, 17, 2, 23, 141
OWN = b'{"backy2":"version dump","format":1}\n'
ORIGINAL = b"backy2 Version 2.2 metadata dump\r\n"


def imported(place, *lines, number="2.2"):
    """Import a dump of the original of these rows."""
    return import_dump(place.engine, dumps.stream(dumps.csv_dump(*lines, number=number)), "x")


def test_the_example_of_the_guide_comes_in_shows_and_goes_out_byte_for_byte(backy):
    path, out = backy.folder / "guide", backy.folder / "out"
    path.write_bytes(dumps.guide())
    backy.ok("import", str(path))
    assert backy.ok("-m", "ls").splitlines()[1] == (f"version|2017-05-02 10:26:48|test||3|12288|{dumps.GUIDE_UID}|1|0|")
    ended = backy.call("export", dumps.GUIDE_UID, str(out))
    assert (ended.code, out.read_bytes()) == (0, dumps.guide())
    assert "WARNING" not in ended.err


def test_standard_output_holds_the_dump_and_nothing_else(backy):
    path = backy.folder / "guide"
    path.write_bytes(dumps.guide())
    backy.ok("import", str(path))
    done = subprocess.run(backy.command("export", dumps.GUIDE_UID, "-"), capture_output=True, check=True)
    assert done.stdout == dumps.guide()
    assert done.stderr.startswith(b"INFO: Exported version")


def test_a_reader_that_went_away_ends_the_export_without_noise(backy):
    uid = backy.backup()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        ended = backy.run("export", uid, "-", stdout=gone)
    assert (ended.code, ended.err) == (OUTPUT_CLOSED, "")


@pytest.mark.parametrize("target", ["-", "/dev/full"])
def test_a_dump_that_cannot_be_written_to_its_end_is_a_failure(backy, target):
    uid = backy.backup()
    with open("/dev/full", "w") as full:
        ended = backy.run("export", uid, target, stdout=full if target == "-" else subprocess.PIPE)
    assert ended.code == EXCHANGE
    assert "No space left on device" in ended.err


def test_a_dump_takes_the_place_of_a_file_whole_and_for_the_owner_alone(backy):
    uid, path = backy.backup(), backy.folder / "dump"
    path.write_text("old")
    link = backy.folder / "link"
    link.symlink_to(path)
    backy.ok("export", uid, str(link))
    assert link.is_symlink()
    assert path.read_bytes().startswith(OWN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(backy.folder.glob(".*.tmp"))


def test_what_cannot_be_exported_leaves_the_file_as_it_was(backy):
    uid, path = backy.backup(), backy.folder / "dump"
    path.write_text("old")
    ended = backy.call("export", "--dump-format", "original", uid, str(path))
    assert ended.code == USAGE
    assert "checksums of blake3" in ended.err
    assert "--dump-format own" in ended.err
    assert path.read_text() == "old"
    assert sorted(backy.folder.glob(".*")) == []


@pytest.mark.parametrize("where", ["nowhere/dump", "", "dump/below"])
def test_a_place_where_no_file_can_be_is_a_mistake_in_the_arguments(backy, where):
    uid = backy.backup()
    (backy.folder / "dump").write_text("a file")
    ended = backy.call("export", uid, str(backy.folder / where))
    assert ended.code == USAGE
    assert ended.err.startswith("ERROR: The dump cannot be written to ")


def test_it_works_while_the_store_is_away(backy):
    uid = backy.backup()
    backy.store.rename(backy.folder / "away")
    assert backy.call("ls").code == 0
    backy.ok("export", uid, str(backy.folder / "dump"))
    assert (backy.folder / "dump").read_bytes().startswith(OWN)


def test_a_version_that_is_not_there_is_not_found(backy):
    assert backy.call("export", dumps.GUIDE_UID, "-").code == NOT_FOUND


def test_an_incomplete_version_is_refused_with_the_way_to_continue_it(place):
    uid = place.uid(image("ab"))
    place.sql(f"UPDATE {place.table('versions')} SET state = {VersionState.INCOMPLETE}")
    with pytest.raises(RefusedError, match=rf"`backy2 backup -c {uid} "):
        exported(place, uid)


def test_a_version_whose_map_is_damaged_is_not_exported(place):
    uid = place.uid(image("ab"))
    place.sql(f"DELETE FROM {place.table('segments')}")
    with pytest.raises(DamageError):
        exported(place, uid)


@pytest.mark.parametrize(
    ("hash_name", "picked"), [("sha512", ORIGINAL), ("blake3", OWN), ("sha256", OWN), ("blake2b", OWN)]
)
@pytest.mark.parametrize("content", ["ab.", "..."])
def test_without_being_told_the_original_gets_what_it_could_have_made(place, hash_name, picked, content):
    engine = place.engine_with(hash_function=hash_name)
    uid = place.uid(image(content), engine=engine)
    assert exported(place, uid, None).startswith(picked)


@pytest.mark.parametrize("hash_name", ["sha512", "sha256", "blake2b", "sha3_384", "sha1", "md5"])
def test_the_original_s_format_carries_any_hash_function_of_its_time(place, tmp_path, hash_name):
    uid = place.uid(image("ab.", tail="x"), engine=place.engine_with(hash_function=hash_name))
    with Twin(place, tmp_path / "twin") as twin:
        version = twin.take(exported(place, uid, DumpFormat.ORIGINAL), hash_name)
        assert (version.state, version.hash) == (VersionState.VALID, hash_name)
        assert twin.restored(uid) == image("ab.", tail="x")


def test_what_the_original_has_no_place_for_is_named_in_one_line(place, caplog):
    engine = place.engine_with(hash_function=USUAL_HASH)
    base = place.uid(image("ab"), engine=engine)
    uid = place.uid(
        image("ac"),
        engine=engine,
        tags=frozenset({"t"}),
        base=base,
        hints=[{"offset": BLOCK, "length": BLOCK, "exists": True}],
    )
    place.meta.set_expire(place.version(uid).id, place.version(uid).date)
    exported(place, uid, None)
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.getMessage() == (
        f"The original's format has no place for these of version {uid}: tags, expire, statistics, source, base, the fraction"
        " of its date; --dump-format own carries all"
    )
    caplog.clear()
    exported(place, uid, DumpFormat.OWN)
    assert not caplog.records


def test_a_version_with_checksums_of_two_functions_goes_into_our_own_format(place):
    first = place.uid(image("ab"), engine=place.engine_with(hash_function="sha512"))
    hints = [{"offset": 0, "length": BLOCK, "exists": True}]
    engine = place.engine_with(hash_function="sha256", sanity_check_blocks=0)
    uid = place.uid(image("cb"), engine=engine, base=first, hints=hints)
    with pytest.raises(UsageError, match="sha256 and sha512"):
        exported(place, uid, DumpFormat.ORIGINAL)
    assert exported(place, uid, None).startswith(OWN)


def test_a_damaged_version_goes_out_as_invalid_with_its_damaged_blocks(place):
    uid = place.uid(image("ab.a"), engine=place.engine_with(hash_function=USUAL_HASH))
    bad = next(iter(place.objects()))
    place.blob_file(bad).unlink()
    place.scrub(uid)
    cells = rows(exported(place, uid, DumpFormat.ORIGINAL))
    assert cells[1][6] == "0"
    assert {row[6] for row in cells[2:] if row[0] == bad} == {"0"}
    assert {row[6] for row in cells[2:] if row[0] != bad} == {"1"}
    again = exported(place, uid, DumpFormat.OWN)
    assert b'"state":"damaged"' in again


def test_blocks_whose_record_is_gone_are_written_as_lost(place, caplog):
    uid = place.uid(image("ab"))
    place.sql(f"DELETE FROM {place.table('blobs')} WHERE id = 1")
    data = exported(place, uid)
    assert b'["lost",1]' in data
    assert b'"state":"damaged"' in data
    assert "1 blocks of version" in caplog.text
    with pytest.raises(UsageError, match="1 of its blocks are lost"):
        exported(place, uid, DumpFormat.ORIGINAL)


@pytest.mark.parametrize("name", ["plain", "a,b", 'a"b', "a\r\nb", " ", "ä", ""])
def test_names_are_quoted_as_the_original_quoted_them(place, name):
    quoted = f'"{name}"'.replace('a"b', 'a""b') if set(name) & set(',"\r\n') else name
    row = dumps.version_row(1).replace("test,,", f"{quoted},{quoted},")
    data = dumps.csv_dump(row, dumps.block_row(0))
    version = import_dump(place.engine, dumps.stream(data), "x")
    assert version.name == name
    assert exported(place, version.uid, None) == data


def test_a_version_that_is_removed_while_it_is_exported_is_not_written(place):
    uid = place.uid(image("ab"))
    export = Export(place.meta, place.version(uid), None, NoProgress())
    place.sql(f"DELETE FROM {place.table('segments')}")
    with pytest.raises(ExchangeError, match="lost while it was exported"):
        export.write(io.BytesIO())
