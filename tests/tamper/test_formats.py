"""docs/format.md is enough to open a sealed document and to check a seal, with nothing of the program."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from tests.faults.site import Site, blocks
from tests.tamper.conftest import KEY
from tests.tamper.test_policy import encrypt
from tests.tamper.world import World

MAGIC = b"backy2 sealed 1\n"


def store_key(world: World) -> bytes:
    """From the document and the master key."""
    [slot] = json.loads((world.documents / "keys.json").read_bytes())["slots"]
    return aes_key_unwrap(bytes.fromhex(KEY), bytes.fromhex(slot["wrapped"]))


def derived(key: bytes, info: bytes) -> bytes:
    """HKDF without salt."""
    return HKDF(SHA256(), 32, None, info).derive(key)


def opened(key: bytes, name: str, data: bytes) -> bytes:
    """What is in a sealed document."""
    assert data.startswith(MAGIC)
    salt, sealed = data[16:40], data[40:]
    own = HKDFExpand(SHA256(), 32, salt).derive(derived(key, b"documents"))
    return AESGCM(own).decrypt(bytes(12), sealed, name.encode())


def seal(key: bytes, row: dict[str, object], digest: bytes) -> bytes:
    """The seal of a version, by its row."""
    microseconds = row["date"]
    assert isinstance(microseconds, int)
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    told = [row["uid"], row["name"], row["snapshot_name"], date.isoformat(timespec="microseconds")]
    text = json.dumps([*told, row["size_bytes"], row["block_size"], digest.hex()], separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=32, key=derived(key, b"backy2 version")).digest()


def test_a_sealed_document_opens_as_the_page_says(world: World) -> None:
    key, head, pack = store_key(world), world.head("new"), world.pack("new")
    members = json.loads(opened(key, f"versions/{head.name}", head.read_bytes()))
    assert (members["uid"], members["name"]) == (world.uid("new"), "vm")
    assert members["digest"] == world.row("new")["digest"].hex()
    assert opened(key, f"maps/{pack.name}", pack.read_bytes()).startswith(b"backy2 pack 1\n")


def test_a_seal_is_as_the_page_says(world: World) -> None:
    row = world.row("new")
    assert row["digest"][32:] == seal(store_key(world), row, row["digest"][:32])


def test_the_seals_of_the_time_before_are_as_the_page_says(site: Site) -> None:
    uid = site.backup(blocks([1, 2]), "-s", "früher", name="vm")
    (site.folder / "main.key").write_text(KEY)
    (site.folder / "main.key").chmod(0o600)
    encrypt(site)
    site.ok("scrub", uid)
    later = World(site.folder, {})
    documents = site.store / "backy2"
    key_id = json.loads((documents / "keys.json").read_bytes())["key_id"]
    members = json.loads((documents / f"seals-{key_id}.json").read_bytes())
    columns = ("uid", "name", "snapshot_name", "date", "size_bytes", "block_size", "digest")
    [values] = site.rows(f"SELECT {', '.join(columns)} FROM backy2_versions")
    row = dict(zip(columns, values, strict=True))
    assert members == {"format": 1, "seals": {uid: seal(store_key(later), row, row["digest"]).hex()}}
