"""The copies of metadata in the store: complete, small, tidy, and harmless wherever their writing is cut off."""

from __future__ import annotations

import dataclasses
import json

import pytest

from backy2_core.engine import copy_map
from backy2_core.engine.copies import current_head, read_copy, update_copy, write_copy
from backy2_core.engine.copy_document import SPARSE_PACK, Pack, Run, decode_document, encode_document, joined
from backy2_core.engine.copy_files import head_name, read_head, stored_packs
from backy2_core.engine.copy_pack import PIECE_BLOCKS, open_pack
from backy2_core.engine.lease import running_job
from backy2_core.engine.retention import remove
from backy2_core.errors import DamageError, DataBackendError
from backy2_core.exchange.copied_blocks import Shelf, check_copy
from backy2_core.model.job import JobKind
from backy2_core.model.version import VersionState, VersionUid
from backy2_plugins.data_backends.null import NullDataBackend
from tests.engine.place import BLOCK, hint, image, numbered
from tests.engine.transforms import Zip, make
from tests.support.engines import make_engine


def copy_of(place, uid):
    """The copy of a version."""
    return read_copy(place.data, uid)


def packs(place):
    """Names of the packs in the store."""
    return {name for name, _ in stored_packs(place.data)}


def size_of(place):
    """Bytes of all documents in the store."""
    return sum(path.stat().st_size for path in (place.folder / "data" / "backy2").rglob("*") if path.is_file())


def needed(place):
    """Names of the packs that the copies of all versions refer to."""
    copies = filter(None, (copy_of(place, version.uid) for version in place.versions()))
    return {pack.name for copy in copies for pack in copy.packs}


def is_whole(place, uid):
    """True if the version could be made again from its copy, and the copy says of it what the database does."""
    copy = copy_of(place, uid)
    check_copy(Shelf(place.data), copy)
    return copy.version == current_head(place.version(uid))


def changed(content, *blocks):
    """The content with other bytes in these blocks; and hints that say so."""
    new = bytearray(content)
    for block in blocks:
        new[block * BLOCK : (block + 1) * BLOCK] = b"%8d" % (block + 77_000_000) * (BLOCK // 8)
    return bytes(new), [hint(block) for block in blocks]


# -- what is in a copy


def test_a_backup_leaves_a_copy_of_all_that_the_database_knows(place):
    result = place.backup(numbered(300) + image("..") + b"tail", tags=frozenset({"a", "b"}), snapshot_name="s")
    copy = copy_of(place, result.version.uid)
    assert copy.version == current_head(result.version)
    assert copy.statistics == (result.statistics,)
    check_copy(Shelf(place.data), copy)


@pytest.mark.parametrize("blocks", [0, 1, 15, 16, 17, 127, 128, 129, 2049])
def test_an_image_of_any_size_is_copied_whole(place, blocks):
    assert is_whole(place, place.uid(numbered(blocks)))


def test_sparse_pieces_take_no_pack(place):
    uid = place.uid(image("." * 200))
    assert copy_of(place, uid).runs == (Run(SPARSE_PACK, 0, 13),)
    assert packs(place) == set()


def test_what_describes_a_blob_is_copied_as_it_was_recorded(place):
    engine = place.engine_with([("zip", Zip())], make)
    uid = place.uid(numbered(20), engine=engine)
    copy = copy_of(place, uid)
    pack = open_pack(copy.packs[0].name, place.data.read_document(copy.packs[0].name))
    blocks = [block for position in (0, 1) for block in pack.piece(position)]
    records = place.meta.find_records(place.engine.store, [block.uid for block in blocks])
    for block in blocks:
        record = dataclasses.asdict(records[block.uid])
        assert dataclasses.asdict(block) == {name: record[name] for name in dataclasses.asdict(block)}


def test_a_store_that_keeps_nothing_gets_no_copy(place):
    data = NullDataBackend()
    engine = make_engine(place.meta, data)
    place.uid(image("ab"), engine=engine)
    assert list(data.list_documents("versions/")) == []


def test_switched_off_the_document_is_a_marker_only(place):
    uid = place.uid(numbered(20), engine=place.engine_with(metadata_copies=False))
    assert copy_of(place, uid).runs is None
    assert packs(place) == set()


# -- in proportion to what changed


def test_a_copy_costs_what_changed(place):
    """The same ratio of changed segments as 0.1 % of 262,144 blocks at random has: 12 of 100."""
    content = numbered(12_800)
    base = place.uid(content)
    whole = size_of(place)
    blocks = [segment * 128 + segment % 128 for segment in range(3, 100, 8)]
    content, hints = changed(content, *blocks)
    uid = place.uid(content, hints=hints, base=base)
    assert size_of(place) - whole <= whole / 15
    assert is_whole(place, uid)


def test_without_a_base_the_newest_version_of_the_name_is_referred_to(place):
    content = numbered(1280)
    first = place.uid(content)
    whole = size_of(place)
    content, _ = changed(content, 5)
    uid = place.uid(content)
    assert copy_of(place, first).packs[0] in copy_of(place, uid).packs
    assert size_of(place) - whole <= whole / 10
    assert is_whole(place, uid)


@pytest.mark.parametrize("harm", [None, b"{}", b"", b"\xff\xfe"])
def test_a_base_whose_copy_cannot_be_used_is_done_without(place, harm):
    base = place.uid(numbered(200))
    if harm is None:
        place.data.delete_document(head_name(base))
    else:
        place.data.write_document(head_name(base), harm)
    content, hints = changed(numbered(200), 7)
    uid = place.uid(content, hints=hints, base=base)
    assert all(uid in pack.name for pack in copy_of(place, uid).packs)
    assert is_whole(place, uid)


def test_a_base_whose_copy_cannot_be_read_is_done_without(place):
    base = place.uid(numbered(200))
    content, hints = changed(numbered(200), 7)
    place.data.fail("read_document", DataBackendError("bad sector"), call=2)
    uid = place.uid(content, hints=hints, base=base)
    assert is_whole(place, uid)


def test_a_grown_and_a_shrunk_image_are_copied_right(place):
    base = place.uid(numbered(150) + b"tail")
    for blocks in (400, 150, 149, 17):
        base = place.uid(numbered(blocks))
        assert is_whole(place, base)


def test_old_packs_are_let_go_little_by_little(place):
    content = numbered(640)
    uid = first = place.uid(content)
    (old,) = copy_of(place, first).packs
    for piece in range(30):
        content, hints = changed(content, piece * PIECE_BLOCKS)
        uid = place.uid(content, hints=hints, base=uid)
        assert is_whole(place, uid)
    assert old not in copy_of(place, uid).packs


# -- what is said of the version


def test_changed_tags_protection_and_expiry_reach_the_copy(place):
    uid = place.uid(numbered(20))
    place.meta.set_protected(place.version(uid).id, True)
    place.meta.change_tags(place.version(uid).id, add=["x"])
    before = packs(place)
    update_copy(place.engine, uid)
    assert is_whole(place, uid)
    assert (copy_of(place, uid).version.tags, packs(place)) == ({"x"}, before)


def test_a_copy_is_not_written_again_where_it_is_the_same(place):
    result = place.backup(numbered(20))
    version = result.version
    place.data.fail("write_document", DataBackendError("written"))
    write_copy(place.engine, version, version.digest, [result.statistics])
    update_copy(place.engine, version.uid)


def test_a_map_that_is_not_the_one_backed_up_is_not_copied(place):
    version = place.backup(numbered(20)).version
    with pytest.raises(DamageError, match=version.uid):
        write_copy(place.engine, version, b"\0" * 32, anew=True)


# -- documents and packs


def test_a_document_is_read_back_as_it_was_written(place):
    uid = place.uid(numbered(200), name="ünïcode", expire=None)
    content = read_head(place.data, uid)
    assert encode_document(decode_document(uid, content)) == content
    assert json.loads(content)["uid"] == uid
    document = decode_document(uid, content)
    sealed = dataclasses.replace(document, version=dataclasses.replace(document.version, key="k1"))
    assert decode_document(uid, encode_document(sealed)) == sealed


def test_every_changed_byte_of_a_document_or_pack_is_found(place):
    uid = place.uid(numbered(20))
    content = read_head(place.data, uid)
    (name,) = packs(place)
    pack = place.data.read_document(name)
    for at in range(0, len(content), 7):
        harmed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(DamageError):
            decode_document(uid, harmed)
    for at in range(0, len(pack), 7):
        with pytest.raises(DamageError):
            open_pack(name, pack[:at] + bytes([pack[at] ^ 1]) + pack[at + 1 :])
    for length in (0, 10, 100, len(pack) - 1):
        with pytest.raises(DamageError):
            open_pack(name, pack[:length])


def test_the_document_of_another_version_or_a_later_release_is_refused(place):
    uid = place.uid(numbered(20))
    content = read_head(place.data, uid)
    with pytest.raises(DamageError, match="is that of version"):
        decode_document(VersionUid("another"), content)
    with pytest.raises(DamageError, match="later release"):
        decode_document(uid, content.replace(b'"format":2', b'"format":3'))


def test_references_in_a_row_become_runs():
    references = [(0, 4), (0, 5), (SPARSE_PACK, 0), (SPARSE_PACK, 0), (1, 6), (1, 8), (1, 9)]
    assert joined(references) == [Run(0, 4, 2), Run(SPARSE_PACK, 0, 2), Run(1, 6, 1), Run(1, 8, 2)]
    assert joined([]) == []
    assert Pack("a", 1) == ("a", 1)


# -- cut off


@pytest.fixture
def small_packs(monkeypatch):
    """Packs of four pieces, so that a small image has several."""
    monkeypatch.setattr(copy_map, "PACK_PIECES", 4)


@pytest.mark.parametrize(
    ("method", "call", "after"),
    [(method, call, after) for method, call in (("create_document", 1), ("create_document", 3)) for after in (0, 1)]
    + [("write_document", 1, 0), ("write_document", 1, 1)],
)
def test_a_backup_that_ends_while_its_copy_is_written_is_continued(place, small_packs, method, call, after):
    content = numbered(200)
    base = place.uid(content)
    place.data.fail(method, KeyboardInterrupt(), call=call, after=after)
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(200, seed=1))
    (uid,) = {version.uid for version in place.versions()} - {base}
    place.cleanup(full=True)
    uid = place.uid(resume=uid)
    assert is_whole(place, uid)
    place.cleanup(full=True)
    assert is_whole(place, uid)
    assert packs(place) == needed(place)


def test_a_backup_that_was_cut_off_and_given_up_leaves_no_packs(place, small_packs):
    base = place.uid(numbered(200))
    place.data.fail("write_document", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(200, seed=1))
    assert packs(place) > needed(place)
    place.cleanup(engine=place.engine_with(abandon_incomplete_s=0.0))
    assert packs(place) == needed(place)
    assert is_whole(place, base)


# -- cleanup


def test_rm_deletes_the_document_and_cleanup_the_packs(place):
    base = place.uid(numbered(200))
    other = place.uid(numbered(200, seed=1))
    remove(place.engine, place.version(other))
    assert read_head(place.data, other) is None
    assert place.cleanup().deleted_packs == 1
    assert packs(place) == needed(place)
    assert is_whole(place, base)


def test_rm_succeeds_where_the_document_cannot_be_deleted(place):
    uid = place.uid(numbered(20))
    place.data.fail("delete_document", DataBackendError("no"))
    remove(place.engine, place.version(uid))
    assert place.state(uid) is VersionState.REMOVED
    place.cleanup()
    assert (read_head(place.data, uid), packs(place)) == (None, set())


def test_packs_that_a_later_version_refers_to_stay_when_their_version_goes(place):
    base = place.uid(numbered(200))
    content, hints = changed(numbered(200), 3)
    uid = place.uid(content, hints=hints, base=base)
    remove(place.engine, place.version(base))
    place.cleanup()
    assert is_whole(place, uid)
    assert any(base in name for name in packs(place))


@pytest.mark.parametrize("harm", [None, b"{}"])
def test_a_missing_copy_is_written_anew(place, harm):
    uid = place.uid(numbered(200))
    if harm is None:
        place.data.delete_document(head_name(uid))
    else:
        place.data.write_document(head_name(uid), harm)
    assert place.cleanup(full=harm is not None).written_copies == 1
    assert is_whole(place, uid)
    assert place.cleanup(full=True).written_copies == 0
    assert packs(place) == needed(place)


def test_a_copy_that_lacks_a_pack_is_written_anew_and_so_are_those_that_refer_to_it(place):
    base = place.uid(numbered(200))
    content, hints = changed(numbered(200), 3)
    uid = place.uid(content, hints=hints, base=base)
    (name,) = {name for name in packs(place) if base in name}
    place.data.delete_document(name)
    assert place.cleanup(full=True).written_copies == 2
    assert is_whole(place, base)
    assert is_whole(place, uid)


def test_copies_of_an_earlier_format_are_brought_up_to_date(place):
    engine = place.engine_with(metadata_copies=False)
    base = place.uid(numbered(200), engine=engine)
    content, hints = changed(numbered(200), 3)
    uid = place.uid(content, hints=hints, base=base, engine=engine)
    assert place.cleanup(full=True).written_copies == 2
    assert is_whole(place, base)
    assert is_whole(place, uid)
    assert size_of(place) < 40_000


def test_a_copy_that_is_out_of_date_is_brought_up_to_date(place):
    uid = place.uid(numbered(20))
    place.meta.set_protected(place.version(uid).id, True)
    assert place.cleanup(full=True).written_copies == 1
    assert is_whole(place, uid)


def test_a_dry_run_changes_no_document(place):
    uid = place.uid(numbered(20))
    place.data.delete_document(head_name(uid))
    before = size_of(place)
    place.cleanup(full=True, dry_run=True)
    assert size_of(place) == before


def test_packs_stay_while_another_job_that_writes_copies_lives(place):
    keep, gone = place.uid(numbered(20)), place.uid(numbered(200, seed=1))
    remove(place.engine, place.version(gone))
    with running_job(place.engine, JobKind.BACKUP, "another"):
        assert place.cleanup().deleted_packs == 0
    assert place.cleanup(full=True).deleted_packs == 1
    assert is_whole(place, keep)


def test_packs_stay_where_a_backup_began_while_documents_were_read(place):
    """It may have taken a reference from a document that was removed since."""
    place.uid(numbered(20))
    gone = place.uid(numbered(200, seed=1))
    remove(place.engine, place.version(gone))

    def begin():
        with running_job(place.engine, JobKind.BACKUP, "another"):
            """Begun and over."""

    place.data.run("read_document", begin)
    assert place.cleanup(full=True).deleted_packs == 0
    assert place.cleanup(full=True).deleted_packs == 1


def test_an_unreadable_document_of_an_unfinished_version_keeps_every_pack(place):
    place.uid(numbered(20))
    place.data.fail("write_document", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(200, seed=1))
    (uid,) = {v.uid for v in place.versions() if v.state is VersionState.INCOMPLETE}
    place.data.write_document(head_name(uid), b"?")
    assert place.cleanup(full=True).deleted_packs == 0
