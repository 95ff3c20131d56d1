"""The verb ``rekey``: an old key gives way, whenever the process is killed, and what the original encrypted stays readable."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.keys.conftest import CHAIN, MAIN, OTHER, THIRD, KeySite, write_key
from tests.keys.forks import Forks
from tests.support.original import OriginalInstallation, unpack

ORIGINAL = "decafbad" * 8
MOMENTS = 50


# -- one key for another


@pytest.mark.parametrize("given", ["clear", "stdin", "environment", "file", "command"])
def test_the_configured_key_takes_the_place_of_the_old_one(
    site: KeySite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    uid = site.backup()
    site.configure(new=OTHER)
    monkeypatch.setenv("OLD_KEY", MAIN)
    path = write_key(tmp_path / "old", MAIN)
    words = {
        "clear": MAIN,
        "stdin": "-",
        "environment": "%(env:OLD_KEY)s",
        "file": f"%(file:{path})s",
        "command": f"%(command:cat {path})s",
    }
    ended = site.call("rekey", words[given], stdin=f"{MAIN}\n")
    assert ended.code == 0, ended.err
    assert ("list of processes" in ended.err) == (given == "clear")
    assert site.slots == ["new"]
    assert site.note == site.document.read_bytes()
    assert site.holds(uid)
    site.configure(main=MAIN)
    assert site.call("scrub", uid).code == 21


def test_the_originals_way_works_as_it_did(site: KeySite) -> None:
    site.configure(core=f"[DEFAULTS]\nencryption_key: {MAIN}\nblock_size: 65536\n")
    uid = site.backup()
    site.configure(core=f"[DEFAULTS]\nencryption_key: {OTHER}\nblock_size: 65536\n")
    assert site.call("scrub", uid).code == 21
    site.ok("rekey", MAIN)
    assert site.slots == ["encryption_key"]
    assert site.holds(uid)


def test_every_configured_key_gets_a_slot_and_others_keep_theirs(site: KeySite) -> None:
    site.configure(main=MAIN, kept=THIRD)
    uid = site.backup()
    site.configure(one=OTHER, two="d4" * 32)
    site.ok("rekey", "-", stdin=MAIN)
    assert site.slots == ["kept", "one", "two"]
    for key in (OTHER, THIRD, "d4" * 32):
        site.configure(it=key)
        assert site.holds(uid)


def test_run_again_it_has_nothing_left_to_do(site: KeySite) -> None:
    site.backup()
    site.configure(new=OTHER)
    site.ok("rekey", "-", stdin=MAIN)
    before = site.state()
    ended = site.call("rekey", "-", stdin=MAIN)
    assert ended.code == 0
    assert "nothing was left to do" in ended.err
    assert site.state() == before


def test_a_key_that_opens_nothing_is_refused_and_changes_nothing(site: KeySite) -> None:
    site.backup()
    before = site.state()
    ended = site.call("--debug", "rekey", OTHER)
    assert ended.code == 21
    assert "opens neither" in ended.err
    assert OTHER not in ended.err
    assert site.state() == before


@pytest.mark.parametrize("keys", [{}, {"main": MAIN}, {"again": MAIN}])
def test_without_another_key_the_old_one_stays(site: KeySite, keys: dict[str, str]) -> None:
    site.backup()
    site.configure(**keys)
    before = site.document.read_bytes()
    ended = site.call("rekey", "-", stdin=MAIN)
    assert ended.code == 17
    assert "configure the new one first" in ended.err
    assert site.document.read_bytes() == before


def test_a_key_that_cannot_be_read_leaves_all_as_it_was(site: KeySite) -> None:
    site.backup()
    site.configure(new=OTHER, lost="%(env:NO_SUCH_KEY)s")
    before = site.document.read_bytes()
    assert site.call("rekey", "-", stdin=MAIN).code == 10
    assert site.document.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["abc", MAIN[:-2], "", "%(env:NO_SUCH_KEY)s", "%(file:/no/such/file)s", "%(command:false)s"]
)
def test_what_is_no_key_is_a_mistake_in_the_arguments_and_never_shown(site: KeySite, text: str) -> None:
    site.backup()
    for argument, stdin in ((text, ""), ("-", text)):
        ended = site.call("--debug", "rekey", argument, stdin=stdin)
        assert ended.code == 2
        assert not text or text.startswith("%") or text not in ended.err


def test_the_log_says_that_it_ran_and_not_with_which_key(site: KeySite, tmp_path: Path) -> None:
    log = tmp_path / "log"
    site.configure(main=MAIN, core=f"{CHAIN}logfile = {log}\n")
    site.backup()
    site.configure(new=OTHER, core=f"{CHAIN}logfile = {log}\n")
    site.ok("rekey", MAIN)
    assert site.call("rekey", THIRD).code == 21
    text = log.read_text()
    assert "rekey ***" in text
    for key in (MAIN, OTHER, THIRD):
        assert key not in text


# -- what the original encrypted


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[KeySite, OriginalInstallation]:
    """An installation of the original, with versions that it encrypted, and one that it did not."""
    original = unpack("213-mixed-bs65536", tmp_path / "original")
    monkeypatch.chdir(original.folder)
    site = site_in(original.folder)
    site.config.chmod(0o600)
    return site, original


@pytest.fixture
def taken(unpacked: tuple[KeySite, OriginalInstallation]) -> tuple[KeySite, OriginalInstallation]:
    """The same, taken over."""
    assert unpacked[0].call("adopt").code in (0, 20)
    return unpacked


def site_in(folder: Path) -> KeySite:
    site = KeySite(folder)
    site.config = folder / "backy.cfg"
    site.store, site.database = folder / "data", folder / "backy.sqlite"
    return site


def change_key(site: KeySite, old: str, new: str) -> None:
    site.config.write_text(site.config.read_text().replace(f"encryption_key: {old}", f"encryption_key: {new}"))


def originals_restore(site: KeySite, original: OriginalInstallation) -> bool:
    return all(site.restored(uid) == digest for uid, digest in original.good.items())


def test_what_the_original_encrypted_is_read_after_rekey_with_the_new_key_alone(
    taken: tuple[KeySite, OriginalInstallation],
) -> None:
    site, original = taken
    change_key(site, ORIGINAL, OTHER)
    site.ok("rekey", ORIGINAL)
    assert originals_restore(site, original)
    assert all(row["opens"] for row in site.rows("key", "check"))


def test_it_is_read_after_add_and_remove_too(taken: tuple[KeySite, OriginalInstallation]) -> None:
    site, original = taken
    site.config.write_text(f"{site.config.read_text()}\n[key:new]\nsecret = {OTHER}\n")
    site.ok("key", "add", "new")
    site.ok("key", "remove", "encryption_key")
    site.config.write_text(site.config.read_text().replace(f"encryption_key: {ORIGINAL}\n", ""))
    assert originals_restore(site, original)


def test_an_old_key_that_never_opened_the_store_is_kept_once_a_blob_proves_it(
    unpacked: tuple[KeySite, OriginalInstallation],
) -> None:
    site, original = unpacked
    change_key(site, ORIGINAL, OTHER)
    assert site.call("adopt").code in (0, 20)
    assert 21 in {site.call("scrub", uid).code for uid in original.good}
    assert site.call("rekey", THIRD).code == 21
    ended = site.call("rekey", ORIGINAL)
    assert ended.code == 0
    assert "is kept for what the original encrypted" in ended.err
    assert originals_restore(site, original)


# -- killed


@dataclass
class World:
    """An installation before a rekey: the old key opens it, the new one is configured."""

    folder: Path
    images: dict[str, str]
    """SHA-256 of each version's image, by uid."""

    def copy(self, folder: Path) -> KeySite:
        shutil.copytree(self.folder, folder)
        return site_in(folder)


@pytest.fixture
def world(taken: tuple[KeySite, OriginalInstallation]) -> World:
    site, original = taken
    uid = site.backup()
    change_key(site, ORIGINAL, OTHER)
    write_key(site.folder / "old", ORIGINAL)
    return World(site.folder, original.good | {uid: hashlib.sha256(site.content).hexdigest()})


def opens(site: KeySite, key: str) -> bool:
    site.config.write_text(
        f"[backy2]\ntransforms = zstd, aes_gcm\n[data_backend]\npath = data\n[key:it]\nsecret = {key}\n"
        "[meta_backend]\nengine = sqlite:///backy.sqlite\n"
    )
    site.config.chmod(0o600)
    code = site.call("-m", "key", "check").code
    assert code in (0, 21)
    return code == 0


def check(site: KeySite, images: dict[str, str]) -> None:
    for uid, digest in images.items():
        assert site.restored(uid) == digest, uid


def test_killed_at_any_moment_the_old_or_the_new_key_opens_and_every_version_restores(
    world: World, forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(20261124)
    whole = _run(world.copy(tmp_path / "whole"), forks, None)
    before = _all_but_keys(site_in(world.folder))
    outcomes: Counter[str] = Counter()
    for number in range(MOMENTS):
        site = world.copy(tmp_path / f"world{number}")
        _run(site, forks, draw.uniform(0.0, 1.2 * whole))
        assert _all_but_keys(site) == before
        monkeypatch.chdir(site.folder)
        opened = [key for key in (ORIGINAL, OTHER) if opens(site, key)]
        assert len(opened) == 1, opened
        outcomes[opened[0]] += 1
        # All but the keys is as it was, so that what restores with a key once restores with it each time.
        if outcomes[opened[0]] == 1:
            assert opens(site, opened[0])
            check(site, world.images)
            _recover_alone(site, world.images)
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(site.folder)
    assert set(outcomes) == {ORIGINAL, OTHER}, outcomes


def _all_but_keys(site: KeySite) -> dict[str, object]:
    """What is stored and recorded; without half-written files, which mean nothing, and the path, which is the copy's own."""
    state = {name.removeprefix(str(site.folder)): value for name, value in site.state().items()}
    left_out = ("keys.json", "_notes", "_stores")
    return {name: value for name, value in state.items() if not name.endswith(left_out) and ".backy2-tmp" not in name}


def _run(site: KeySite, forks: Forks, kill_after_s: float | None) -> float:
    """Let a rekey run, or kill it; how long it took."""
    began = time.monotonic()
    argv = ("-c", "backy.cfg", "rekey", "-")
    pid = forks.start(*argv, folder=site.folder, output=site.folder / "said", stdin=site.folder / "old")
    if kill_after_s is None:
        assert forks.wait(pid) == 0, (site.folder / "said").read_text()
        return time.monotonic() - began
    time.sleep(kill_after_s)
    os.kill(pid, signal.SIGKILL)
    assert forks.wait(pid) in (0, -signal.SIGKILL)
    return time.monotonic() - began


def _recover_alone(site: KeySite, images: dict[str, str]) -> None:
    """With the key that opens, and the store alone, all versions come back."""
    for path in site.folder.glob("backy.sqlite*"):
        path.unlink()
    ended = site.call("recover")
    assert ended.code in (0, 20), ended.err
    check(site, images)
