"""The manipulations, one by one, with the exit codes that restore, scrub and check end with afterwards.

All are of the version ``new``, unless their name says otherwise; so are the jobs. The table in docs/encryption.md is made of
this: ``python -m tests.tamper.matrix`` prints it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.tamper.world import SECOND, World, flipped, swap

OK, PLUGIN, STORE, NOT_FOUND, REFUSED, TRANSFORM, DAMAGE, KEY = 0, 11, 14, 16, 17, 19, 20, 21


@dataclass(frozen=True)
class Manipulation:
    """Something that is done to an installation, in words for the page, and what three commands say of it."""

    group: str
    text: str
    do: Callable[[World], object]
    restore: int = DAMAGE
    scrub: int = DAMAGE
    check: int = OK
    note: str = ""
    recover: int | None = None

    @property
    def name(self) -> str:
        return f"{self.group}: {self.text}"


def matrix() -> list[Manipulation]:
    """All of them, group by group."""
    return [*_blobs(), *_records(), *_maps(), *_versions(), *_documents(), *_identity(), *_states()]


def _blobs() -> Iterable[Manipulation]:
    group = "blob"

    def of(version: str, block: int) -> Callable[[World], object]:
        return lambda w: w.blob("new", 3).write_bytes(w.blob(version, block).read_bytes())

    def made(change: Callable[[bytes], bytes], block: int = 3) -> Callable[[World], object]:
        return lambda w: w.change_blob("new", block, change)

    yield Manipulation(group, "another blob of the version in its place", of("new", 5))
    yield Manipulation(group, "that of the same block of an older version", of("old", 3))
    yield Manipulation(group, "one of another version", of("other", 1))
    yield Manipulation(
        group,
        "one of another store with the same store key",
        lambda w: w.blob("new", 3).write_bytes(w.twin_blob()),
    )
    yield Manipulation(
        group, "a compressed one in the place of another", lambda w: swap(w.blob("new", 2), w.blob("new", 4))
    )
    yield Manipulation(group, "a byte cut off its end", made(lambda data: data[:-1]), check=DAMAGE)
    yield Manipulation(group, "a byte cut off its beginning", made(lambda data: data[1:]), check=DAMAGE)
    yield Manipulation(group, "cut to its salt", made(lambda data: data[:24]), check=DAMAGE)
    yield Manipulation(group, "emptied", made(lambda data: b""), check=DAMAGE)
    yield Manipulation(group, "a byte more at its end", made(lambda data: data + b"\0"), check=DAMAGE)
    yield Manipulation(group, "a bit of its salt", made(lambda data: flipped(data, 0)))
    yield Manipulation(group, "a bit at the end of its salt", made(lambda data: flipped(data, 23)))
    yield Manipulation(group, "a bit at the beginning of its ciphertext", made(lambda data: flipped(data, 24)))
    yield Manipulation(group, "a bit in its ciphertext", made(lambda data: flipped(data, 2000)))
    yield Manipulation(group, "a bit at the end of its ciphertext", made(lambda data: flipped(data, -17)))
    yield Manipulation(group, "a bit of its tag", made(lambda data: flipped(data, -16)))
    yield Manipulation(group, "the last bit of its tag", made(lambda data: flipped(data, -1)))
    yield Manipulation(group, "a bit of a compressed one", made(lambda data: flipped(data, 30), 2))
    yield Manipulation(
        group, "the clear block in its place", lambda w: w.blob("new", 3).write_bytes(bytes(4096)), check=DAMAGE
    )
    yield Manipulation(group, "deleted", lambda w: w.blob("new", 3).unlink(), check=DAMAGE)


def _records() -> Iterable[Manipulation]:
    group = "record of a blob"

    def edited(check: int = OK, **values: object) -> tuple[Callable[[World], object], int]:
        return (lambda w: w.change_record("new", 3, **values)), check

    def with_chain(spec: str) -> Callable[[World], object]:
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
    yield Manipulation(group, "an unknown uid", *_with_check(lambda w: w.change_record("new", 3, uid="f" * 32), DAMAGE))
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


def _maps() -> Iterable[Manipulation]:
    group = "block map"

    def entries(
        change: Callable[[list[tuple[int, bytes]]], object], *, fitting: bool = False
    ) -> Callable[[World], object]:
        def do(w: World) -> None:
            found = w.entries("new")
            change(found)
            w.set_entries("new", found, fitting=fitting)

        return do

    def swap_ids(e: list[tuple[int, bytes]]) -> None:
        e[2], e[3] = (e[3][0], e[2][1]), (e[2][0], e[3][1])

    def swap_entries(e: list[tuple[int, bytes]]) -> None:
        e[2], e[3] = e[3], e[2]

    def vanish(e: list[tuple[int, bytes]]) -> None:
        e[3] = (0, bytes(16))

    def lose(e: list[tuple[int, bytes]]) -> None:
        e[3] = (-1, b"\xff" * 16)

    def bend(e: list[tuple[int, bytes]]) -> None:
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


def _versions() -> Iterable[Manipulation]:
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


def _documents() -> Iterable[Manipulation]:
    group = "copy of metadata in the store"

    def made(text: str, do: Callable[[World], object], check: int = STORE, recover: int = DAMAGE) -> Manipulation:
        return Manipulation(
            group, text, do, OK, OK, check, f"restores need no copy; `recover` ends with {recover}", recover
        )

    def clear(w: World) -> None:
        w.head("new").write_text(json.dumps({"format": 1, "uid": w.uid("new")}))

    def older(w: World) -> None:
        before = w.head("new").read_bytes()
        w.site.ok("add-tag", w.uid("new"), "weekly")
        w.head("new").write_bytes(before)

    yield made("a version's document cut", lambda w: w.head("new").write_bytes(w.head("new").read_bytes()[:-1]))
    yield made(
        "a bit of a version's document", lambda w: w.head("new").write_bytes(flipped(w.head("new").read_bytes(), 60))
    )
    yield made("the documents of two versions swapped", lambda w: swap(w.head("new"), w.head("old")))
    yield made("a clear document in its place", clear)
    yield Manipulation(
        group,
        "an older document of the same version in its place",
        older,
        OK,
        OK,
        STORE,
        "tells older tags, protection and expiry; `recover` believes it",
        OK,
    )
    yield Manipulation(
        group,
        "a version's document deleted",
        lambda w: w.head("new").unlink(),
        OK,
        OK,
        STORE,
        "`recover` does not know of the version",
        OK,
    )
    yield made("a pack cut", lambda w: w.pack("new").write_bytes(w.pack("new").read_bytes()[:-1]), OK)
    yield made("two packs swapped", lambda w: swap(w.pack("new"), w.pack("old")), OK)
    yield made("a pack deleted", lambda w: w.pack("new").unlink())


def _identity() -> Iterable[Manipulation]:
    group = "`keys.json`, `store.json`"

    def keys(change: Callable[[dict[str, object]], object]) -> Callable[[World], object]:
        return lambda w: w.change_keys(change)

    def bend(members: dict[str, object]) -> None:
        slots = members["slots"]
        assert isinstance(slots, list)
        slots[0]["wrapped"] = flipped(bytes.fromhex(slots[0]["wrapped"]), 5).hex()

    def made(text: str, do: Callable[[World], object], note: str = "") -> Manipulation:
        return Manipulation(group, text, do, KEY, KEY, KEY, note)

    def of_stranger(w: World) -> None:
        folder = w.folder / "stranger"
        stranger = _stranger(folder)
        shutil.copy(stranger.documents / "keys.json", w.documents / "keys.json")

    def slot_of_stranger(w: World) -> None:
        stranger = _stranger(w.folder / "stranger")
        slots = json.loads((stranger.documents / "keys.json").read_bytes())["slots"]
        w.change_keys(lambda members: members.update(slots=slots))

    yield made("the slot of the key removed", keys(lambda members: members.update(slots=[])))
    yield made("a bit of the wrapped key", keys(bend))
    yield made("the slot of another store, of the same master key", slot_of_stranger)
    yield made("another id of the store key", keys(lambda members: members.update(key_id="0" * 16)))
    yield made("that of another store", of_stranger)
    yield Manipulation(
        group,
        "`keys.json` deleted or unreadable",
        lambda w: (w.documents / "keys.json").write_bytes(b"{"),
        OK,
        OK,
        OK,
        "written again from the copy in the database, with a warning",
    )
    yield Manipulation(
        group,
        "the identity of the store edited",
        lambda w: w.change_json("store.json", lambda members: members.update(identity="0" * 36)),
        STORE,
        STORE,
        STORE,
    )
    yield Manipulation(
        group, "`store.json` unreadable", lambda w: (w.documents / "store.json").write_bytes(b"{"), STORE, STORE, STORE
    )
    yield Manipulation(
        group, "`store.json` deleted", lambda w: (w.documents / "store.json").unlink(), STORE, STORE, STORE
    )


def _states() -> Iterable[Manipulation]:
    group = "older state"

    def store(w: World) -> None:
        _put_back(w.site.store, _before(w) / "data")

    def database(w: World) -> None:
        shutil.copy(_before(w) / "meta.sqlite", w.site.database)

    def both(w: World) -> None:
        store(w)
        database(w)

    yield Manipulation(group, "of the store alone", store, check=DAMAGE)
    yield Manipulation(
        group,
        "of the database alone",
        database,
        NOT_FOUND,
        NOT_FOUND,
        STORE,
        "the store knows a version that the database does not",
    )
    yield Manipulation(
        group,
        "of store and database together",
        both,
        NOT_FOUND,
        NOT_FOUND,
        OK,
        "**not detectable from within**: all is in order as it was then",
    )


def _with_check(do: Callable[[World], object], check: int) -> tuple[Callable[[World], object], int, int, int]:
    return do, DAMAGE, DAMAGE, check


def _before(w: World) -> Path:
    return w.twin_store.parent / "before"


def _put_back(there: Path, old: Path) -> None:
    shutil.rmtree(there)
    shutil.copytree(old, there)


def _stranger(folder: Path) -> World:
    folder.mkdir()
    shutil.copy(folder.parent / "main.key", folder / "main.key")
    world = World(folder, {})
    world.site.ok("initdb")
    world.site.ok("-m", "cleanup")
    return world


def table() -> str:
    """The matrix as the page has it."""
    rows = ["| what | manipulation | restore | scrub | check | note |", "|---|---|---|---|---|---|"]
    for each in matrix():
        rows.append(f"| {each.group} | {each.text} | {each.restore} | {each.scrub} | {each.check} | {each.note} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(table())
