"""Manipulations of blobs and of documents in the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.tamper.manipulation import DAMAGE, KEY, OK, STORE, Do, Manipulation
from tests.tamper.world import World, flipped, swap


def blobs() -> Iterable[Manipulation]:
    """The blob of block 3, or of block 2, which is compressed."""
    group = "blob"

    def of(version: str, block: int) -> Do:
        return lambda w: w.blob("new", 3).write_bytes(w.blob(version, block).read_bytes())

    def made(change: Callable[[bytes], bytes], block: int = 3) -> Do:
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


def documents() -> Iterable[Manipulation]:
    """The copies of metadata, which are sealed."""
    group = "copy of metadata in the store"

    def made(text: str, do: Do, check: int = STORE, recover: int = DAMAGE) -> Manipulation:
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


def identity() -> Iterable[Manipulation]:
    """The documents that are not sealed."""
    group = "`keys.json`, `store.json`"

    def keys(change: Callable[[dict[str, Any]], None]) -> Do:
        return lambda w: w.change_keys(change)

    def bend(members: dict[str, Any]) -> None:
        slots = members["slots"]
        slots[0]["wrapped"] = flipped(bytes.fromhex(slots[0]["wrapped"]), 5).hex()

    def made(text: str, do: Do, note: str = "") -> Manipulation:
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


def _stranger(folder: Path) -> World:
    folder.mkdir()
    shutil.copy(folder.parent / "main.key", folder / "main.key")
    world = World(folder, {})
    world.site.ok("initdb")
    world.site.ok("-m", "cleanup")
    return world
