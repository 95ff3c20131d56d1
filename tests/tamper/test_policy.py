"""An encrypted store without its key, in clear, or encrypted later: what is refused, what goes on, and what nobody can read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.faults.site import BLOCK, DAMAGE, KEYRING, REFUSED, Site, blocks
from tests.tamper.conftest import KEY
from tests.tamper.world import World, flipped

OTHER_KEY = "6f" * 32
CLEAR = {"transforms": ""}


def everything(site: Site) -> dict[str, Any]:
    """All that a job may change: the files of the store, and the rows of the database but for the job itself."""
    with closing(sqlite3.connect(site.database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    return site.files() | {n: r for n, r in rows.items() if not n.endswith(("_jobs", "_uses", "_counters"))}


def verbs(world: World) -> dict[str, list[str]]:
    """A command line for each verb that opens the store."""
    site, uid = world.site, world.uid("new")
    dump = site.folder / "dump"
    return {
        "backup": ["backup", site.url, "vm"],
        "backup with a base": ["backup", "-f", uid, "-r", str(site.hints_file([])), site.url, "vm"],
        "restore": ["restore", uid, f"file://{site.folder}/target"],
        "scrub": ["scrub", uid],
        "check": ["check"],
        "check --dry-run": ["check", "--dry-run"],
        "cleanup": ["cleanup"],
        "cleanup --full": ["cleanup", "--full"],
        "import": ["import", str(dump)],
        "recover": ["recover"],
        "rm": ["rm", "-f", uid],
        "key check": ["key", "check"],
    }


READS_DATABASE = (["ls"], ["stats"], ["jobs"], ["key", "list"], ["diff-meta"], ["export"])
WRITES_DATABASE = (["protect"], ["unprotect"], ["add-tag"], ["remove-tag"])


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["no key", "another key"])
def test_without_the_key_every_verb_that_opens_the_store_ends_before_any_work(world: World, key: str | None) -> None:
    site = world.site
    site.ok("export", world.uid("new"), str(site.folder / "dump"))
    site.configure({"transforms": "zstd, aes_gcm" if key else ""}, f"[key:spare]\nsecret = {key}" if key else "")
    before = everything(site)
    for name, argv in verbs(world).items():
        ended = site.call(*argv)
        assert ended.code == KEYRING, (name, ended)
        assert "main (fingerprint" in ended.err, (name, ended)
        assert key is None or "spare (fingerprint" in ended.err, (name, ended)
        assert everything(site) == before, name
    assert not (site.folder / "target").exists()


def test_without_the_key_what_needs_the_database_alone_goes_on(world: World) -> None:
    site = world.site
    site.configure(CLEAR)
    arguments = {
        "diff-meta": [world.uid("old"), world.uid("new")],
        "export": [world.uid("new"), str(site.folder / "dump")],
    }
    for argv in READS_DATABASE:
        site.ok(*argv, *arguments.get(argv[0], []))
    assert len(site.versions()) == 3
    for argv in WRITES_DATABASE:
        ended = site.call(*argv, world.uid("new"), *(["weekly"] if argv[0].endswith("tag") else []))
        assert ended.code == 0
        assert "main (fingerprint" in ended.err, "that the copy in the store was left as it was"


def test_clear_blocks_are_refused_in_an_encrypted_store_unless_they_are_allowed(world: World) -> None:
    site = world.site
    world.configure(CLEAR)
    before = everything(site)
    site.image.write_bytes(blocks([7]))
    refused = site.call("backup", site.url, "vm")
    assert refused.code == REFUSED
    assert "allow_clear" in refused.err
    assert everything(site) == before
    world.configure({"allow_clear": "yes"})
    uid = site.backup(blocks([7]))
    assert site.restored(uid) == blocks([7])
    assert site.blob(blocks([7]))


@pytest.mark.parametrize("way", ["keep", "store_again"])
def test_what_becomes_of_a_base_with_clear_blocks_is_as_configured(world: World, way: str) -> None:
    site = world.site
    world.configure(CLEAR | {"allow_clear": "yes"})
    base = site.backup(blocks([1, 2, 3]))
    world.configure({"transforms": "zstd, aes_gcm", "allow_clear": "no", "clear_base": way})
    site.image.write_bytes(blocks([1, 9, 3]))
    hints = site.hints_file([{"offset": BLOCK, "length": BLOCK, "exists": True}])
    made = site.call("-m", "backup", "-f", base, "-r", str(hints), site.url, "vm")
    assert made.code == 0
    assert "not encrypted" in made.err
    uid = made.out.strip()
    assert site.restored(uid) == blocks([1, 9, 3])
    site.ok("scrub", uid)
    site.ok("rm", "-f", base)
    for _ in range(3):
        site.ok("cleanup")
    in_clear = b"".join(path.read_bytes() for path in site.store.glob("??/??/*.blob"))
    assert (blocks([3])[:64] in in_clear) is (way == "keep")
    assert site.restored(uid) == blocks([1, 9, 3])


NAME, SNAPSHOT, TAG = "accounting-mainframe", "before-the-merger", "confidential-tag"


def test_what_is_encrypted_is_nowhere_in_clear(world: World) -> None:
    """Neither blocks nor their plain checksums are in the database or the store; names are in the database alone."""
    site, content = world.site, blocks(range(1, 20))
    site.image.write_bytes(content)
    site.ok("backup", "-s", SNAPSHOT, "-t", TAG, site.url, NAME)
    stored = b"".join(data for path, data in site.files().items() if not path.endswith(".lock"))
    rows = site.database.read_bytes()
    for block in {content[at : at + BLOCK] for at in range(0, len(content), BLOCK)}:
        checksum = blake3(block).digest()
        for form in (checksum, checksum[:16], checksum.hex().encode(), block[:32]):
            assert form not in stored
            assert form not in rows
    for text in (NAME, SNAPSHOT, TAG, str(site.image)):
        assert text.encode() not in stored
        assert text.encode() in rows
    names = " ".join(site.files())
    assert not any(text in names for text in (NAME, SNAPSHOT, TAG))
    assert KEY.encode() not in stored + rows
    assert bytes.fromhex(KEY) not in stored + rows


def test_the_store_alone_and_the_key_are_enough_to_recover(world: World) -> None:
    world.site.database.unlink()
    world.site.ok("recover")
    for made in world.versions.values():
        assert world.site.restored(made.uid) == made.image
        world.site.ok("scrub", made.uid)
    world.site.ok("check")


def test_the_store_alone_is_of_no_use_without_the_key(world: World) -> None:
    site = world.site
    site.database.unlink()
    for more in ("", f"[key:main]\nsecret = {OTHER_KEY}"):
        site.configure(more=more)
        assert site.call("recover").code == KEYRING
    assert site.versions() == []


# -- a store that is encrypted later


@pytest.fixture
def later(site: Site) -> tuple[Site, str]:
    """An installation in clear that has just got a key, and its version."""
    uid = site.backup(blocks([1, 2, 3]), "-t", "early")
    (site.folder / "main.key").write_text(KEY)
    (site.folder / "main.key").chmod(0o600)
    encrypt(site)
    return site, uid


def encrypt(site: Site, **core: str) -> None:
    """Switch encryption on."""
    site.configure({"transforms": "zstd, aes_gcm"} | core, f"[key:main]\nsecret = %(file:{site.folder}/main.key)s")


def test_a_store_that_is_encrypted_later_keeps_its_versions(later: tuple[Site, str]) -> None:
    """They restore at once; their copies are sealed by a full cleanup, and recover from then on."""
    site, early = later
    assert site.restored(early) == blocks([1, 2, 3])
    uid = site.backup(blocks([1, 5, 3]))
    assert site.restored(uid) == blocks([1, 5, 3])
    site.ok("scrub", early)
    unsealed = {
        name for name, data in site.files().items() if name.startswith("backy2/maps/") and b"sealed" not in data
    }
    assert unsealed
    assert site.call("check").code == 14
    for _ in range(2):
        site.ok("cleanup", "--full")
    site.ok("check")
    assert b"early" not in b"".join(site.files().values())
    site.database.unlink()
    site.ok("recover")
    assert site.restored(early) == blocks([1, 2, 3])
    assert site.restored(uid) == blocks([1, 5, 3])


def test_copies_of_the_time_before_are_recovered_only_where_they_are_trusted(later: tuple[Site, str]) -> None:
    site, early = later
    site.ok("cleanup")
    site.database.unlink()
    assert site.call("recover").code == DAMAGE
    assert site.versions() == []
    encrypt(site, trust_clear_copies="yes")
    site.ok("recover")
    encrypt(site, trust_clear_copies="no")
    assert site.restored(early) == blocks([1, 2, 3])


def test_a_version_of_the_time_before_cannot_be_edited_later(later: tuple[Site, str]) -> None:
    """Its seal was made together with the key; nobody can make another."""
    site, early = later
    site.ok("scrub", early)
    site.execute("UPDATE backy2_versions SET name = 'other'")
    assert site.call("scrub", early).code == DAMAGE
    assert site.call("restore", early, f"file://{site.target()}").code == DAMAGE
    site.execute("UPDATE backy2_versions SET name = 'vm'")
    site.ok("scrub", early)


def test_a_version_whose_seal_is_lost_is_restored_only_where_it_is_trusted(later: tuple[Site, str]) -> None:
    site, early = later
    site.ok("scrub", early)
    [seals] = (site.store / "backy2").glob("seals-*.json")
    seals.unlink()
    refused = site.call("restore", early, f"file://{site.target()}")
    assert refused.code == DAMAGE
    assert "trust_clear_copies" in refused.err
    assert site.state(early) == "valid"
    encrypt(site, trust_clear_copies="yes")
    assert site.restored(early) == blocks([1, 2, 3])


# -- a manipulation is not made good by what runs at night


@pytest.mark.parametrize("seal", [True, False], ids=["with its seal", "without its seal"])
@pytest.mark.parametrize("spoil", ["cut", "deleted", "clear", "whole"])
def test_a_full_cleanup_does_not_seal_what_was_forged(world: World, spoil: str, seal: bool) -> None:
    site, head = world.site, world.head("new")
    world.forge("new", seal)
    if spoil == "deleted":
        head.unlink()
    elif spoil != "whole":
        head.write_bytes(flipped(head.read_bytes(), -1) if spoil == "cut" else b'{"format": 1}')
    spoiled = head.read_bytes() if head.exists() else None
    site.call("cleanup", "--full")
    assert (head.read_bytes() if head.exists() else None) == spoiled
    for _ in range(2):
        assert site.call("restore", world.uid("new"), f"file://{site.target()}").code == DAMAGE
        assert site.call("scrub", world.uid("new")).code == DAMAGE


def test_nothing_is_built_upon_a_version_that_was_forged(world: World) -> None:
    site = world.site
    world.forge("new")
    hints = site.hints_file([])
    assert site.call("backup", "-f", world.uid("new"), "-r", str(hints), site.url, "vm").code == DAMAGE


def test_an_older_state_of_store_and_database_together_is_believed(world: World, tmp_path: Path) -> None:
    """What the threat model says: only who remembers from elsewhere that there was a newer version can tell."""
    site = world.site
    before = site.database.read_bytes(), site.files()
    newer = site.backup(blocks([1, 2, 3]))
    database, files = before
    site.database.write_bytes(database)
    for name in site.files().keys() - files.keys():
        (site.store / name).unlink()
    site.ok("check")
    assert newer not in {version["uid"] for version in site.versions()}
    assert site.restored("latest:vm") == world.versions["new"].image
