"""Manipulations of rows in the database: records of blobs, block maps, versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.tamper.manipulation import DAMAGE, KEY, NOT_FOUND, OK, PLUGIN, REFUSED, STORE, TRANSFORM, Do, Manipulation
from tests.tamper.world import SECOND, World, flipped

Entries = list[tuple[int, bytes]]


def records() -> Iterable[Manipulation]:
    """The record of the blob of block 3."""
    group = "record of a blob"

    def with_chain(spec: str) -> Do:
        return lambda w: w.change_record("new", 3, chain=w.chain(spec))

    def swap_uids(w: World) -> None:
        one, two = w.record("new", 3), w.record("new", 5)
        w.update("blobs", one["id"], uid="0000")
        w.update("blobs", two["id"], uid=one["uid"])
        w.update("blobs", one["id"], uid=two["uid"])

    def other_checksum(w: World) -> None:
        record = w.record("new", 5)
        w.change_record("new", 3, checksum=record["checksum"], checksum_head=record["checksum_head"])

    yield Manipulation(group, "its uid and another's swapped", swap_uids)
    yield Manipulation(group, "an unknown uid", lambda w: w.change_record("new", 3, uid="f" * 32), check=DAMAGE)
    yield Manipulation(group, "another size", lambda w: w.change_record("new", 3, size=4095), check=DAMAGE)
    yield Manipulation(group, "a huge size", lambda w: w.change_record("new", 3, size=2**50), check=DAMAGE)
    yield Manipulation(group, "another stored size", lambda w: w.change_record("new", 3, stored_size=99), check=DAMAGE)
    yield Manipulation(
        group, "a huge stored size", lambda w: w.change_record("new", 3, stored_size=2**50), check=DAMAGE
    )
    yield Manipulation(group, "the checksum of another block", other_checksum, check=DAMAGE)
    yield Manipulation(
        group,
        "a bit at the end of its checksum",
        lambda w: w.change_record("new", 3, checksum=flipped(w.record("new", 3)["checksum"], -1)),
    )
    yield Manipulation(group, "another hash function", lambda w: w.change_record("new", 3, hash="sha256"))
    yield Manipulation(group, "a hash function that is none", lambda w: w.change_record("new", 3, hash="rot13"))
    yield Manipulation(group, "no key", lambda w: w.change_record("new", 3, key=""))
    yield Manipulation(group, "the key of the original", lambda w: w.change_record("new", 3, key="backy2_v1"))
    yield Manipulation(
        group, "another store key", lambda w: w.change_record("new", 3, key="0" * 16), restore=KEY, scrub=KEY
    )
    yield Manipulation(group, "no chain of transforms", lambda w: w.change_record("new", 3, chain=None))
    yield Manipulation(group, "a chain of compression alone", with_chain('[["zstd",{}]]'))
    yield Manipulation(
        group,
        "the chain of another store key",
        with_chain('[["aes_gcm",{"format":1,"key":"0000000000000000"}]]'),
        restore=KEY,
        scrub=KEY,
    )
    yield Manipulation(group, "a chain that is no chain", with_chain("[[aes"))
    yield Manipulation(
        group,
        "the chain of a later format",
        with_chain('[["aes_gcm",{"format":9,"key":"0000000000000000"}]]'),
        restore=TRANSFORM,
        scrub=TRANSFORM,
        note="ends the job: a later release may have stored it",
    )
    yield Manipulation(
        group,
        "a chain with an unknown transform",
        with_chain('[["rot13",{}]]'),
        restore=PLUGIN,
        scrub=PLUGIN,
        note="ends the job: a plugin may be missing",
    )
    yield Manipulation(
        group,
        "an envelope of the right form",
        lambda w: w.change_record("new", 3, envelope=b"\x03\0\0\0abc"),
        restore=OK,
        scrub=OK,
        note="harmless: these transforms have none, and what they open is checked",
    )
    yield Manipulation(group, "an envelope that is none", lambda w: w.change_record("new", 3, envelope=b"\xff" * 7))
    yield Manipulation(group, "the state `deleting`", lambda w: w.change_record("new", 3, state=4), check=DAMAGE)
    yield Manipulation(
        group,
        "the state `damaged`",
        lambda w: w.change_record("new", 3, state=3),
        restore=OK,
        scrub=OK,
        check=DAMAGE,
        note="proves nothing: the bytes are looked at, and are right",
    )
    yield Manipulation(
        group,
        "the state `unseen`",
        lambda w: w.change_record("new", 3, state=2),
        restore=OK,
        scrub=OK,
        note="proves nothing: the bytes are looked at, and are right",
    )
    yield Manipulation(
        group,
        "deleted",
        lambda w: w.execute("DELETE FROM backy2_blobs WHERE id = ?", w.record("new", 3)["id"]),
        check=DAMAGE,
    )


def maps() -> Iterable[Manipulation]:
    """The map of the version, and its segments."""
    group = "block map"

    def entries(change: Callable[[Entries], object], *, fitting: bool = False) -> Do:
        def do(w: World) -> None:
            found = w.entries("new")
            change(found)
            w.set_entries("new", found, fitting=fitting)

        return do

    def swap_ids(e: Entries) -> None:
        e[2], e[3] = (e[3][0], e[2][1]), (e[2][0], e[3][1])

    def swap_entries(e: Entries) -> None:
        e[2], e[3] = e[3], e[2]

    def vanish(e: Entries) -> None:
        e[3] = (0, bytes(16))

    def lose(e: Entries) -> None:
        e[3] = (-1, b"\xff" * 16)

    def bend(e: Entries) -> None:
        e[3] = (e[3][0], flipped(e[3][1], 0))

    def take_map(w: World) -> None:
        w.set_segments("new", w.segments("old"))

    def take_all(w: World) -> None:
        take_map(w)
        w.change_row("new", digest=w.row("old")["digest"])

    yield Manipulation(group, "the blobs of two blocks swapped", entries(swap_ids), check=DAMAGE)
    yield Manipulation(group, "the entries of two blocks swapped", entries(swap_entries), check=DAMAGE)
    yield Manipulation(
        group, "the same, and all digests made to fit", entries(swap_entries, fitting=True), check=DAMAGE
    )
    yield Manipulation(group, "a leaf", entries(bend), check=DAMAGE)
    yield Manipulation(group, "a block made sparse", entries(vanish), check=DAMAGE)
    yield Manipulation(group, "the same, and all digests made to fit", entries(vanish, fitting=True), check=DAMAGE)
    yield Manipulation(group, "a block made lost, and all digests to fit", entries(lose, fitting=True), check=DAMAGE)
    yield Manipulation(group, "a block repeated, and all digests made to fit", lambda w: w.forge("new"), check=DAMAGE)
    yield Manipulation(group, "the same, and the seal cut off", lambda w: w.forge("new", seal=False), check=DAMAGE)
    yield Manipulation(
        group,
        "a segment of another version",
        lambda w: w.set_segments("new", [w.segments("old")[0], w.segments("new")[1]]),
        check=DAMAGE,
    )
    yield Manipulation(
        group, "two segments swapped", lambda w: w.set_segments("new", w.segments("new")[::-1]), check=DAMAGE
    )
    yield Manipulation(
        group, "the last segment left out", lambda w: w.set_segments("new", w.segments("new")[:1]), check=DAMAGE
    )
    yield Manipulation(group, "the map of an older version", take_map, check=DAMAGE)
    yield Manipulation(group, "the map of an older version, with its digest and seal", take_all, check=DAMAGE)
    yield Manipulation(
        group,
        "a segment deleted",
        lambda w: w.execute("DELETE FROM backy2_segments WHERE id = ?", w.segments("new")[0]),
        check=DAMAGE,
    )
    yield Manipulation(
        group,
        "deleted",
        lambda w: w.execute("DELETE FROM backy2_maps WHERE version = ?", w.row("new")["id"]),
        check=DAMAGE,
    )


def versions() -> Iterable[Manipulation]:
    """The row of the version."""
    group = "row of a version"

    def shortened(w: World) -> None:
        w.set_segments("new", w.segments("new")[:1])
        w.change_row("new", size_bytes=SECOND * 4096)
        w.fit_digest("new")

    def swapped_uids(w: World) -> None:
        one, two = w.row("new"), w.row("old")
        w.update("versions", one["id"], uid="0" * 36)
        w.update("versions", two["id"], uid=one["uid"])
        w.update("versions", one["id"], uid=two["uid"])

    yield Manipulation(
        group,
        "a bit of its digest",
        lambda w: w.change_row("new", digest=flipped(w.row("new")["digest"], 0)),
        check=DAMAGE,
    )
    yield Manipulation(
        group,
        "a bit of its seal",
        lambda w: w.change_row("new", digest=flipped(w.row("new")["digest"], 40)),
        check=DAMAGE,
    )
    yield Manipulation(
        group, "its seal cut off", lambda w: w.change_row("new", digest=w.row("new")["digest"][:32]), check=DAMAGE
    )
    yield Manipulation(group, "another size", lambda w: w.change_row("new", size_bytes=130 * 4096 - 1), check=DAMAGE)
    yield Manipulation(group, "cut to one segment, and its digest made to fit", shortened, check=DAMAGE)
    yield Manipulation(group, "another block size", lambda w: w.change_row("new", block_size=8192), check=DAMAGE)
    yield Manipulation(group, "another name", lambda w: w.change_row("new", name="web"), check=DAMAGE)
    yield Manipulation(
        group, "another date", lambda w: w.change_row("new", date=w.row("new")["date"] + 1), check=DAMAGE
    )
    yield Manipulation(group, "its uid and that of an older version swapped", swapped_uids, check=DAMAGE)
    yield Manipulation(
        group,
        "tags, protection, expiry",
        lambda w: w.change_row("new", protected=1, expire=1),
        restore=OK,
        scrub=OK,
        check=STORE,
        note="not sealed: they may change; `check` compares them with the copy",
    )
    yield Manipulation(
        group,
        "the state `incomplete`",
        lambda w: w.change_row("new", state=1),
        restore=REFUSED,
        scrub=REFUSED,
        note="as for a backup that broke off",
    )
    yield Manipulation(
        group,
        "deleted",
        lambda w: w.execute("DELETE FROM backy2_versions WHERE uid = ?", w.uid("new")),
        restore=NOT_FOUND,
        scrub=NOT_FOUND,
        check=STORE,
        note="the store knows it; `cleanup --full` refuses",
    )
