"""``backy2 import``: from where it reads, what it prints, and what becomes of the version."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing

import pytest

from backy2_core.engine.lease import running_job
from backy2_core.errors import ExchangeError, RefusedError
from backy2_core.exchange.dumps import import_dump
from backy2_core.model.blob import BlobState
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind
from backy2_core.model.version import NewVersion, VersionState, VersionUid
from tests.engine.place import BLOCK, Place, image
from tests.exchange import dumps
from tests.exchange.dumps import GUIDE_UID, block_row, csv_dump, sparse_row, version_row
from tests.exchange.test_own_dump import exported, signed
from tests.exchange.twin import Twin

USAGE, REFUSED, DAMAGED, EXISTS, EXCHANGE = 2, 17, 20, 22, 23


@pytest.fixture
def guide(backy):
    """The path of the guide's example."""
    path = backy.folder / "guide.csv"
    path.write_bytes(dumps.guide())
    return path


def test_it_prints_the_version(backy, guide):
    printed = json.loads(backy.ok("import", "--format", "json", str(guide)))
    assert printed == {
        "uid": GUIDE_UID,
        "name": "test",
        "snapshot_name": "",
        "date": "2017-05-02T10:26:48Z",
        "state": "valid",
        "size_bytes": 12288,
        "protected": False,
        "expire": None,
        "tags": [],
    }


def test_it_prints_the_uid_alone_for_programs(backy, guide):
    ended = backy.call("-m", "import", str(guide))
    assert (ended.code, ended.out, ended.err) == (0, f"{GUIDE_UID}\n", "")


def test_a_uid_that_is_there_and_a_dump_that_is_none_have_codes_of_their_own(backy, guide):
    backy.ok("import", str(guide))
    ended = backy.call("import", str(guide))
    assert ended.code == EXISTS
    assert f"Version {GUIDE_UID} is there already" in ended.err
    guide.write_text("a letter\n")
    ended = backy.call("-m", "import", str(guide))
    assert ended.code == EXCHANGE
    assert ended.err.startswith(f"ERROR: {guide}, line 1: expected the header of a dump, found 'a letter'")


@pytest.mark.parametrize("name", ["nothing", ""])
def test_a_file_that_cannot_be_opened_is_a_mistake_in_the_arguments(backy, name):
    ended = backy.call("import", str(backy.folder / name))
    assert ended.code == USAGE
    assert ended.err.startswith("ERROR: The dump ")


def test_standard_input_may_be_a_pipe_or_a_file(backy, guide):
    done = subprocess.run(backy.command("-m", "import", "-"), input=dumps.guide(), capture_output=True, check=True)
    assert done.stdout.decode() == f"{GUIDE_UID}\n"
    backy.ok("rm", "-f", GUIDE_UID)
    with guide.open("rb") as file:
        done = subprocess.run(backy.command("-m", "import", "-"), stdin=file, capture_output=True, check=True)
    assert done.stdout.decode() == f"{GUIDE_UID}\n"
    assert "standard input, the file: there is no header" in backy.run("import", "-", stdin=subprocess.DEVNULL).err


def test_a_named_pipe_is_read_once(backy, guide):
    pipe = backy.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(dumps.guide()))
    writer.start()
    backy.ok("import", str(pipe))
    writer.join()


def test_what_never_ends_and_is_no_dump_is_refused_soon(backy):
    assert backy.call("import", "/dev/zero").code == EXCHANGE
    with subprocess.Popen(["yes", "    INFO: more"], stdout=subprocess.PIPE) as endless:
        done = subprocess.run(
            backy.command("import", "-"), stdin=endless.stdout, capture_output=True, timeout=60, check=False
        )
        endless.kill()
    assert done.returncode == EXCHANGE
    assert b"standard input, line 1001: expected the header" in done.stderr


def test_a_damaged_version_arrives_with_its_own_exit_code(backy):
    path = backy.folder / "bad.csv"
    path.write_bytes(csv_dump(version_row(2), block_row(0, valid=0), sparse_row(1)))
    ended = backy.call("-m", "import", str(path))
    assert (ended.code, ended.out) == (DAMAGED, f"{GUIDE_UID}\n")
    assert f"Version {GUIDE_UID} arrived, but damaged" in ended.err


def test_an_empty_database_is_set_up_for_what_arrives(backy, guide):
    config = backy.folder / "plugins.cfg"
    config.write_text(
        f"[meta_backend]\nengine = sqlite:///{backy.folder}/new.sqlite\n[data_backend]\npath = {backy.folder}/store\n"
    )
    assert backy.call("-c", str(config), "ls").code == 15
    backy.ok("-c", str(config), "import", str(guide))


def test_the_name_of_the_hash_function_is_taken_from_the_caller(backy):
    path = backy.folder / "x.csv"
    path.write_bytes(csv_dump(version_row(1), block_row(0, hash_name="blake2b")))
    assert backy.call("import", "--hash", "sha256", str(path)).code == EXCHANGE
    backy.ok("import", "--hash", "blake2b", str(path))


def stored(place, letters, tail=b""):
    """Objects as the original stored them for an image; the rows of its dump."""
    rows = []
    for number, data in enumerate([*(image(letter) for letter in letters), *([tail] if tail else [])]):
        if not any(data):
            rows.append(sparse_row(number, size=len(data)))
            continue
        key = data[0]
        path = place.blob_file(dumps.blob_uid(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        rows.append(
            f"{dumps.blob_uid(key)},{GUIDE_UID},{number},2017-05-02 12:26:51,{hashlib.sha512(data).hexdigest()},{len(data)},1"
        )
    return rows


def taken(place, letters, tail=b""):
    """A version of the original, imported."""
    rows = stored(place, letters, tail)
    size = len(letters) * BLOCK + len(tail)
    return import_dump(place.engine, dumps.stream(csv_dump(version_row(len(rows), size), *rows)), "x")


@pytest.mark.parametrize("hash_name", ["sha512", "blake3"])
def test_backups_build_upon_an_imported_version_with_any_hash_function(place, hash_name):
    version = taken(place, "ab.b", b"tail")
    content = place.write(image("ax.b") + b"tail")
    engine = place.engine_with(hash_function=hash_name)
    result = place.backup(base=version.uid, hints=[{"offset": BLOCK, "length": 1, "exists": True}], engine=engine)
    assert place.restored(result.version.uid) == content
    assert place.restored(version.uid) == image("ab.b") + b"tail"
    data = exported(place, result.version.uid)
    assert data.count(b'"description"') == (1 if hash_name == "sha512" else 2)


def test_new_backups_share_the_blobs_only_when_a_scrub_has_found_them(place):
    version = taken(place, "ab")
    engine = place.engine_with(hash_function="sha512")
    before = place.backup(image("abc"), name="other", engine=engine).statistics.counts
    assert (before.blocks_written, before.blocks_dedup) == (3, 0)
    assert place.scrub(version.uid).damaged_blocks == 0
    states = {state for (state,) in place.sql(f"SELECT state FROM {place.table('blobs')}")}
    assert states == {BlobState.STORED}


def test_a_dump_from_another_store_is_taken_with_a_warning(place, tmp_path, caplog):
    uid = place.uid(image("ab"))
    data = exported(place, uid)
    (tmp_path / "elsewhere").mkdir()
    other = Place(tmp_path / "elsewhere")
    assert import_dump(other.engine, dumps.stream(data), "x").state is VersionState.VALID
    assert "were in store" in caplog.text
    other.close()


def test_a_dump_of_ours_whose_blocks_do_not_fit_its_digest_is_refused(place, tmp_path):
    uid = place.uid(image("ab"))
    lines = [json.loads(line) for line in exported(place, uid).splitlines()]
    lines[3]["blocks"].reverse()
    lines[-1].pop("sha256")
    with Twin(place, tmp_path / "twin") as twin:
        with pytest.raises(ExchangeError, match=r"^x: The blocks of version .* do not fit its digest"):
            twin.take(signed(*lines))
        assert not [version for version in twin.versions() if not version.state.is_gone]


def test_a_version_that_is_just_being_imported_is_refused_until_the_lease_of_that_ran_out(place):
    new = NewVersion(VersionUid(GUIDE_UID), "test", "", Geometry(12288, 4096), "sha512", "", arriving=True)
    with running_job(place.engine, JobKind.IMPORT, "x") as lease:
        place.meta.create_version(lease.id, new)
        with pytest.raises(RefusedError, match=rf"is being imported by job {lease.id} "):
            import_dump(place.engine, dumps.stream(dumps.guide()), "x")
    assert import_dump(place.engine, dumps.stream(dumps.guide()), "x").state is VersionState.VALID


def test_a_killed_import_leaves_nothing_in_the_way_of_the_next(backy):
    path = backy.folder / "big.csv"
    count = 30_000
    path.write_bytes(csv_dump(version_row(count), *(block_row(number) for number in range(count))))
    backy.ok("ls")
    with backy.spawn("import", str(path)) as process:
        wait_for_blobs(backy)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert GUIDE_UID not in backy.ok("ls")
    assert backy.call("import", str(path)).code == REFUSED
    database(backy, "UPDATE backy2_jobs SET lease_until = 0")
    backy.ok("import", str(path))
    assert GUIDE_UID in backy.ok("ls")
    assert database(backy, "SELECT count(*) FROM backy2_blobs") == [(count,)]
    backy.ok("cleanup")
    dump = backy.folder / "again.csv"
    backy.ok("export", GUIDE_UID, str(dump))
    assert dump.read_bytes() == path.read_bytes()


def database(backy, statement):
    """Read or edit the database behind everybody's back."""
    with closing(sqlite3.connect(backy.store.parent / "backy2.sqlite", timeout=30)) as connection, connection:
        return connection.execute(statement).fetchall()


def wait_for_blobs(backy):
    """Until an import has recorded its first blobs."""
    ends = time.monotonic() + 60
    while database(backy, "SELECT count(*) FROM backy2_blobs") == [(0,)]:
        assert time.monotonic() < ends
        time.sleep(0.005)
