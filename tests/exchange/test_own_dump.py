"""Our own dump: loses nothing, and notices every byte that is changed."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.inventory import BrokenBlock, SparseBlocks, StoredBlock
from backy2_core.engine.progress import NoProgress
from backy2_core.errors import ExchangeError
from backy2_core.exchange import own_format
from backy2_core.exchange.dumps import open_dump
from backy2_core.exchange.export import DumpFormat, Export
from backy2_core.exchange.own_writer import write_own
from backy2_core.model.blob import LOST, BlobId, BlobRecord, BlobState, BlobUid, StoreId
from backy2_core.model.block import Geometry
from backy2_core.model.version import Counts, Statistics, Version, VersionId, VersionState, VersionUid
from tests.engine.place import BLOCK, image
from tests.exchange import dumps
from tests.exchange.twin import Twin
from tests.property import conftest as profile

UID = VersionUid(dumps.GUIDE_UID)
DATE = datetime(2024, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
CHAINS = ("", '[["backy2_v1",{}]]', '[["zstd",{"level":3}],["aes_gcm",{}]]')
assert profile  # repeatable examples


def exported(place, uid, wanted=DumpFormat.OWN):
    """The dump of a version."""
    out = io.BytesIO()
    Export(place.meta, place.version(uid), wanted, NoProgress()).write(out)
    return out.getvalue()


def read(data):
    """A dump that was read to its end: the version, the store, the blocks."""
    dump = open_dump(dumps.stream(data), "x")
    blocks = list(dump.blocks())
    return dump.version, dump.store, blocks


def version_of(geometry, **changed):
    """A version with something in every place."""
    version = Version(
        id=VersionId(1),
        uid=UID,
        name="vm",
        snapshot_name="s",
        date=DATE,
        geometry=geometry,
        hash="sha512",
        source="rbd://pool/vm@s",
        source_identity="an image",
        base=VersionUid("11111111-2f21-11e7-b961-a44e314f9270"),
        hints_digest="ab" * 16,
        digest=b"d" * 32,
        state=VersionState.VALID,
        protected=True,
        expire=DATE + timedelta(days=1),
        tags=frozenset({"a", "b"}),
    )
    return replace(version, **changed)


def written(version, items, statistics=(), *, whole=True):
    """The dump of a made version."""
    out = io.BytesIO()
    write_own(out, version, items, statistics, "the store", whole=whole)
    return out.getvalue()


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
HASHES = ("blake3", "sha512", "sha256", "md5")


@st.composite
def records(draw, size):
    """A record of a blob of a block of this size."""
    name, chain = draw(st.sampled_from(HASHES)), draw(st.sampled_from(CHAINS))
    length = {"blake3": 32, "sha512": 64, "sha256": 32, "md5": 16}[name]
    return BlobRecord(
        id=BlobId(1),
        store=StoreId(1),
        uid=BlobUid(draw(st.from_regex(r"[0-9A-Za-z_-]{4,64}", fullmatch=True))),
        size=size,
        stored_size=draw(st.integers(-1, 10**9)) if chain else size,
        hash=name,
        checksum=draw(st.binary(min_size=length, max_size=length)),
        key=draw(st.sampled_from(["", "backy2_v1"])) if chain else "",
        transforms=chain,
        envelope=draw(st.binary(max_size=60)) if chain else b"",
        state=draw(st.sampled_from([BlobState.STORED, BlobState.UNSEEN, BlobState.DAMAGED])),
        date=draw(MOMENTS),
    )


@st.composite
def versions(draw):
    """A version, its items, and its statistics."""
    lengths = draw(st.lists(st.tuples(st.sampled_from("rsl"), st.integers(1, 300)), max_size=8))
    count = sum(1 if kind == "r" else length for kind, length in lengths)
    tail = draw(st.integers(1, 512))
    geometry = Geometry((count - 1) * 512 + tail if count else 0, 512)
    items, at = [], 0
    for kind, length in lengths:
        if kind == "r":
            items.append(StoredBlock(at, draw(records(geometry.length(at)))))
            at += 1
        elif kind == "s":
            items.append(SparseBlocks(at, at + length))
            at += length
        else:
            items += [BrokenBlock(at + n, LOST, "the backup never had it") for n in range(length)]
            at += length
    whole = not any(isinstance(item, BrokenBlock) for item in items)
    version = version_of(
        geometry,
        name=draw(TEXTS),
        snapshot_name=draw(TEXTS),
        date=draw(MOMENTS),
        expire=draw(st.none() | MOMENTS),
        tags=draw(st.frozensets(TEXTS, max_size=4)),
        base=draw(st.sampled_from([None, UID])),
        protected=draw(st.booleans()),
        source=draw(TEXTS),
        state=draw(st.sampled_from([VersionState.VALID, VersionState.DAMAGED])) if whole else VersionState.DAMAGED,
    )
    counts = st.builds(Counts, **{name: st.integers(0, 2**60) for name in Counts.__dataclass_fields__})
    some = st.builds(
        Statistics,
        st.just(UID),
        TEXTS,
        MOMENTS,
        st.integers(0, 2**60),
        st.integers(0, 2**60),
        counts,
        st.floats(0, 1e9),
    )
    return version, items, draw(st.lists(some, max_size=2)), whole


@given(versions())
def test_what_is_written_is_read_back(made):
    version, items, statistics, whole = made
    found, store, blocks = read(written(version, items, statistics, whole=whole))
    for name in (
        *(
            "uid",
            "name",
            "snapshot_name",
            "date",
            "geometry",
            "hash",
            "source",
            "source_identity",
            "base",
            "hints_digest",
        ),
        *("protected", "expire", "tags"),
    ):
        assert getattr(found, name) == getattr(version, name)
    assert found.digest == (version.digest if whole else b"")
    assert found.damaged == (version.state is VersionState.DAMAGED)
    assert found.statistics == tuple(statistics)
    assert store == "the store"
    expected = [
        (item.number, item.record) if isinstance(item, StoredBlock) else (number, None)
        for item in items
        if not isinstance(item, BrokenBlock)
        for number in (range(item.start, item.stop) if isinstance(item, SparseBlocks) else [item.number])
    ]
    assert [block.number for block in blocks] == [number for number, _ in expected]
    for block, (_, record) in zip(blocks, expected, strict=True):
        assert (block.blob is None) == (record is None)
        if record is not None:
            names = ("uid", "size", "stored_size", "hash", "checksum", "key", "transforms", "envelope", "date")
            assert all(getattr(block.blob, name) == getattr(record, name) for name in names)
            assert block.damaged == (record.state is BlobState.DAMAGED)


def record_of(number, **changed):
    """A plain blob."""
    made = BlobRecord(
        BlobId(number + 1),
        StoreId(1),
        BlobUid(dumps.blob_uid(number)),
        512,
        512,
        "sha512",
        bytes.fromhex(dumps.checksum(number)),
        "",
        "",
        b"",
        BlobState.STORED,
        DATE,
    )
    return replace(made, **changed)


SAMPLE = written(
    version_of(Geometry(512 * 9, 512)),
    [
        StoredBlock(0, record_of(0)),
        SparseBlocks(1, 5),
        StoredBlock(5, record_of(1)),
        StoredBlock(6, record_of(2, hash="sha256", checksum=b"c" * 32)),
        StoredBlock(7, record_of(3, transforms=CHAINS[1], key="backy2_v1", envelope=b"e" * 40, stored_size=-1)),
        SparseBlocks(8, 9),
    ],
    [Statistics(UID, "vm", DATE, 512 * 9, 9, Counts(), 1.5)],
)


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255), st.sampled_from(["change", "delete", "insert"]))
def test_any_byte_that_is_changed_deleted_or_inserted_is_noticed(at, byte, how):
    changed = {
        "change": SAMPLE[:at] + bytes([SAMPLE[at] ^ byte]) + SAMPLE[at + 1 :],
        "delete": SAMPLE[:at] + SAMPLE[at + 1 :],
        "insert": SAMPLE[:at] + bytes([byte]) + SAMPLE[at:],
    }[how]
    with pytest.raises(ExchangeError, match=r"^x, (line \d+|the file): "):
        refuse(changed)


@pytest.mark.parametrize("more", [b"\n", b" ", b"{}\n", b"\0", SAMPLE])
def test_anything_behind_the_last_line_is_noticed(more):
    with pytest.raises(ExchangeError):
        refuse(SAMPLE + more)


def test_every_cut_is_noticed():
    for length in range(len(SAMPLE)):
        with pytest.raises(ExchangeError):
            refuse(SAMPLE[:length])


def refuse(data):
    """Read what must not be taken; a dump of the original is not ours to judge here."""
    read(data)


def signed(*lines):
    """A dump of these lines with a right checksum: what somebody makes who means harm."""
    begun = b"".join(own_format.encode(line) for line in lines[:-1]) + own_format.encode(
        {**lines[-1], "sha256": ""}
    ).removesuffix(b'"}\n')
    return begun + hashlib.sha256(begun).hexdigest().encode() + b'"}\n'


def sample_lines():
    """The lines of the sample."""
    return [json.loads(line) for line in SAMPLE.splitlines()]


def test_a_sample_that_is_signed_anew_is_as_good_as_before():
    lines = sample_lines()
    lines[-1].pop("sha256")
    assert read(signed(*lines)) == read(SAMPLE)


def test_what_a_later_release_adds_is_passed_over():
    lines = sample_lines()
    lines[-1].pop("sha256")
    lines[1]["version"]["colour"] = "blue"
    lines[1]["more"] = lines[2]["more"] = lines[-1]["more"] = [1, {}]
    lines[3]["blocks"][0] += ["", 0, "more"]
    lines.insert(3, {"weather": "fine"})
    assert read(signed(*lines))[0] == read(SAMPLE)[0]


def test_a_later_format_is_refused_by_its_number():
    lines = sample_lines()
    lines[0]["format"] = 2
    with pytest.raises(ExchangeError, match="line 1: the dump has format 2, this release reads up to 1"):
        read(signed(*lines))


def at(*path):
    """Changes the value at this path of the lines."""
    *way, last = path

    def change(lines, value):
        place = lines
        for step in way:
            place = place[step]
        place[last] = value

    return change


FIRST = (3, "blocks", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((0, "backy2"), "something else"),
        ((0, "format"), True),
        ((1, "version"), None),
        ((1, "version", "uid"), "../../x"),
        ((1, "version", "uid"), UID.upper()),
        ((1, "version", "name"), 7),
        ((1, "version", "name"), "a\0b"),
        ((1, "version", "name"), "\ud800"),
        ((1, "version", "date"), "2024-01-31T00:00:00"),
        ((1, "version", "date"), "yesterday"),
        ((1, "version", "size_bytes"), 2**61),
        ((1, "version", "size_bytes"), -1),
        ((1, "version", "size_bytes"), 512.0),
        ((1, "version", "size_bytes"), 512 * 8),
        ((1, "version", "size_bytes"), 512 * 10),
        ((1, "version", "block_size"), 0),
        ((1, "version", "block_size"), 2**40),
        ((1, "version", "hash"), "a b"),
        ((1, "version", "base"), "nobody"),
        ((1, "version", "digest"), "ab"),
        ((1, "version", "state"), "removed"),
        ((1, "version", "protected"), 1),
        ((1, "version", "tags"), "a"),
        ((1, "version", "tags"), [1]),
        ((1, "store"), None),
        ((1, "statistics"), {}),
        ((1, "statistics", 0, "uid"), "11111111-2f21-11e7-b961-a44e314f9270"),
        ((1, "statistics", 0, "duration_s"), float("inf")),
        ((1, "statistics", 0, "bytes_read"), 2**63),
        ((2, "description"), -1),
        ((2, "description"), own_format.DESCRIPTIONS),
        ((2, "hash"), "nonsense"),
        ((2, "transforms"), "[]"),
        ((2, "transforms"), '[["x"]]'),
        ((2, "transforms"), "{"),
        ((3, "first"), 1),
        ((3, "blocks"), {}),
        ((3, "blocks"), []),
        (FIRST, 7),
        (FIRST, []),
        (FIRST, [0]),
        ((*FIRST, 0), 1),
        ((*FIRST, 0), True),
        ((*FIRST, 1), "../../etc/passwd"),
        ((*FIRST, 1), "abc"),
        ((*FIRST, 1), None),
        ((*FIRST, 2), 511),
        ((*FIRST, 2), -2),
        ((*FIRST, 3), "ab" * 32),
        ((*FIRST, 3), "AB" * 64),
        ((*FIRST, 4), 2**70),
        ((*FIRST, 4), "now"),
        ((3, "blocks", 1), ["sparse", 0]),
        ((3, "blocks", 1), ["sparse", 9]),
        ((3, "blocks", 1), ["sparse", 3]),
        ((3, "blocks", 1), ["lost", 4]),
        ((3, "blocks", 1), ["unknown", 4]),
        ((-1, "blocks"), 8),
        ((-1, "stored"), 8),
        ((-1, "lost"), None),
    ],
)
def test_what_cannot_be_is_refused_although_its_checksum_is_right(path, value):
    lines = sample_lines()
    lines[-1].pop("sha256")
    at(*path)(lines, value)
    with pytest.raises(ExchangeError, match=r"^x, line \d+: "):
        read(signed(*lines))


@pytest.mark.parametrize("line", [b"[" * 500_000, b'{"a":' * 100_000, b"1" * 500_000, b"{}" + b" " * 2**21])
def test_lines_that_would_take_memory_are_refused(line):
    lines = SAMPLE.splitlines(keepends=True)
    with pytest.raises(ExchangeError):
        read(b"".join([*lines[:2], line + b"\n", *lines[2:]]))


def test_numbers_of_descriptions_are_used_again(monkeypatch):
    monkeypatch.setattr(own_format, "DESCRIPTIONS", 2)
    names = ["sha512", "sha384", "sha3_512", "sha512", "blake2b", "sha384"]
    items = [
        StoredBlock(number, record_of(number, hash=name, checksum=hashlib.new(name, b"x").digest()))
        for number, name in enumerate(names)
    ]
    _, _, blocks = read(written(version_of(Geometry(512 * len(names), 512)), items))
    assert [block.blob.hash for block in blocks] == names


def test_an_imported_version_is_the_one_that_was_exported_in_all_that_is_known_of_it(place, tmp_path):
    base = place.uid(image("abc.a..d", tail="end"))
    content = place.write(image("abxyz..d", tail="end"))
    version = place.backup(
        name="vm2",
        snapshot_name="s",
        base=base,
        hints=[{"offset": 2 * BLOCK, "length": 3 * BLOCK, "exists": True}],
        tags=frozenset({"t", "u"}),
        expire=DATE,
    ).version
    place.meta.set_protected(version.id, True)
    version, data = place.version(version.uid), exported(place, version.uid)
    other = Twin(place, tmp_path / "twin")
    arrived = other.take(data)
    assert replace(arrived, id=version.id) == version
    assert other.meta.statistics(version.uid) == place.meta.statistics(version.uid)
    result, restored = other.restore(version.uid)
    assert (result.damaged_blocks, restored) == (0, content)
    assert exported(other, version.uid) == data
    other.close()
