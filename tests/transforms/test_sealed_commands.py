"""The real commands with ``transforms = zstd, aes_gcm``: what they store, refuse, and keep on reading."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core.engine import checksums
from backy2_plugins.transforms import aes_gcm
from backy2_plugins.transforms.aes_gcm import blobs
from backy2_plugins.transforms.zstd import frames
from tests.docs import pages
from tests.keys.conftest import CHAIN, MAIN, KeySite, site

__all__ = ["site"]

SCRIPT = pages.ROOT / "docs" / "open_blob.py"


def rows(site: KeySite) -> list[tuple[str, str, int]]:
    """What the database says of each blob: uid, chain, size of the block."""
    query = "SELECT uid, spec, size FROM backy2_blobs JOIN backy2_chains ON backy2_chains.id = chain ORDER BY uid"
    with contextlib.closing(sqlite3.connect(site.database)) as opened:
        return opened.execute(query).fetchall()


def blob(site: KeySite, uid: str) -> Path:
    return site.store / uid[:2] / uid[2:4] / f"{uid}.blob"


def blocks(site: KeySite) -> set[bytes]:
    """The blocks of the image, but for zeros."""
    pieces = (site.content[at : at + 65536] for at in range(0, len(site.content), 65536))
    return {piece for piece in pieces if piece.strip(b"\0")}


def open_by_script(site: KeySite, key: str, chain: str, path: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the script of the documentation, alone."""
    key_file = site.folder / "master-key"
    key_file.write_text(key)
    command = [sys.executable, "-I", SCRIPT, site.document, key_file, chain, path]
    return subprocess.run(command, cwd="/", capture_output=True, check=False)


def test_the_script_of_the_documentation_opens_every_blob_that_the_command_stored(site: KeySite) -> None:
    site.configure(main=MAIN)
    site.ok("backup", f"file://{site.image}", "vm")
    opened = set()
    for uid, chain, size in rows(site):
        done = open_by_script(site, MAIN, chain, blob(site, uid))
        assert len(done.stdout) == size, done.stderr
        opened.add(done.stdout)
    assert opened == blocks(site)
    assert {chain.count("[") for _, chain, _ in rows(site)} == {2, 3}, "some blobs are compressed, and some are not"


def test_the_script_opens_nothing_with_another_key_or_from_a_changed_blob(site: KeySite) -> None:
    site.configure(main=MAIN)
    site.ok("backup", f"file://{site.image}", "vm")
    uid, chain, _ = rows(site)[0]
    assert open_by_script(site, "00" * 32, chain, blob(site, uid)).returncode != 0
    changed = site.folder / "changed"
    changed.write_bytes(blob(site, uid).read_bytes()[:-1] + b"\0")
    done = open_by_script(site, MAIN, chain, changed)
    assert (done.returncode != 0, done.stdout) == (True, b"")


def test_the_script_is_short_and_knows_nothing_of_backy2() -> None:
    text = SCRIPT.read_text()
    imported = set(re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.MULTILINE))
    assert {name.partition(".")[0] for name in imported} == {"cryptography", "zstandard", "json", "sys", "pathlib"}
    code = [line for line in text.partition('"""\n\n')[2].splitlines() if line.strip()]
    assert len(code) <= 30


def test_the_page_states_the_numbers_and_texts_of_the_code() -> None:
    text = " ".join(pages.sections("docs/format.md", 2)["Transforms"].split())
    for phrase in (
        f"| 0 | {blobs.SALT_BYTES} | salt",
        f"the last {blobs.TAG_BYTES}",
        f"`info` is `{blobs.PURPOSE}`, 32 bytes",
        f"a nonce of {len(blobs.NONCE)} zero bytes",
        f'the text `"backy2 aes_gcm {aes_gcm.FORMAT} "`',
        f"longer than {frames.MOST_PERCENT} % of them",
    ):
        assert phrase in text, phrase
    checksums_text = " ".join(pages.sections("docs/format.md", 2)["Checksums"].split())
    assert f"BLAKE2b with {checksums.KEYED_BYTES} bytes" in checksums_text
    assert f'`"{checksums.PURPOSE}"`' in checksums_text


def test_what_is_in_the_store_and_in_the_database_is_not_clear(site: KeySite) -> None:
    site.configure(main=MAIN)
    site.ok("backup", f"file://{site.image}", "vm")
    stored = b"".join(path.read_bytes() for path in site.store.rglob("*.blob"))
    assert site.content[1000:1064] not in stored
    assert b"words words" not in stored
    site.configure(main=MAIN, core=CHAIN.replace("zstd, aes_gcm", "zstd"))
    assert site.call("backup", f"file://{site.image}", "vm").code == 17


def test_each_configuration_reads_what_those_before_it_stored(site: KeySite) -> None:
    uids = []
    for chain in ("", "zstd", "zstd, aes_gcm", "aes_gcm"):
        site.configure(main=MAIN, core=CHAIN.replace("zstd, aes_gcm", chain) + "allow_clear = yes\n")
        uids.append(site.ok("-m", "backup", f"file://{site.image}", "vm").split()[0])
    for number, uid in enumerate(uids):
        site.ok("scrub", uid)
        site.ok("restore", uid, f"file://{site.folder}/out{number}")
        assert (site.folder / f"out{number}").read_bytes() == site.content


def test_compressing_what_was_encrypted_is_refused_by_the_configuration(site: KeySite) -> None:
    site.configure(main=MAIN, core=CHAIN.replace("zstd, aes_gcm", "aes_gcm, zstd"))
    ended = site.call("backup", f"file://{site.image}", "vm")
    assert ended.code == 10
    assert "key transforms: zstd stands behind aes_gcm" in ended.err
    assert "Write zstd before aes_gcm" in ended.err


def test_a_level_is_configured_and_a_wrong_one_refused(site: KeySite) -> None:
    sizes = {}
    for level in (1, 19):
        site.configure("[transform:zstd]", f"level = {level}", core=CHAIN.replace(", aes_gcm", "\ndeduplication = no"))
        site.ok("backup", f"file://{site.image}", "vm")
        sizes[level] = sum(path.stat().st_size for path in site.store.rglob("*.blob")) - sum(sizes.values())
    assert sizes[19] < sizes[1]
    for level, complaint in ((20, "too high"), (0, "level")):
        site.configure("[transform:zstd]", f"level = {level}", core=CHAIN.replace(", aes_gcm", ""))
        ended = site.call("backup", f"file://{site.image}", "vm")
        assert ended.code == 10
        assert "[transform:zstd]" in ended.err
        assert complaint in ended.err


def test_encryption_without_a_key_is_refused_with_what_to_do(site: KeySite) -> None:
    site.configure()
    ended = site.call("backup", f"file://{site.image}", "vm")
    assert ended.code == 21
    assert "[key:ID]" in ended.err
    assert "docs/encryption.md" in ended.err
    assert list(site.store.rglob("*.blob")) == []


@pytest.mark.parametrize("name", ["zstd", "aes_gcm"])
def test_plugins_list_names_it_as_whole(site: KeySite, name: str) -> None:
    site.configure()
    lines = [line.split() for line in site.ok("plugins", "list", "-f", "value").splitlines()]
    assert [line for line in lines if name in line and "ok" in line]
